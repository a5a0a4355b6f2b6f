#include "train/forecast/forecast_task.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <tuple>

#include "engine/files.h"
#include "engine/parameters.h"
#include "kernels/fields/error_sums.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "train/progress.h"

namespace py4cast {
namespace {

std::string graph_fingerprint(const Configuration& configuration) {
  const Json graph = configuration.section("model.settings").value("graph", Json());
  const bool file = graph.is_string() && std::filesystem::is_regular_file(graph.get<std::string>());
  return file ? file_fingerprint(graph.get<std::string>()) : std::string();
}

// Of x [batch, ..., all features] that of the first sample and the first features: [points, features].
std::vector<float> first_fields(const Tensor& x, size_t features) {
  const Tensor host = on_host(x);
  const auto all = static_cast<size_t>(x.size(-1));
  const auto values = static_cast<size_t>(x.numel() / x.size(0));
  std::vector<float> result;
  for (size_t point = 0; point < values; point += all)
    for (size_t f = 0; f < std::min(features, all); ++f)
      result.push_back(host.type() == DataType::f64
                           ? static_cast<float>(host.data<double>()[point + f])
                           : host.data<float>()[point + f]);
  return result;
}

}  // namespace

std::string bad_feature(const Tensor& x, const std::vector<std::string>& names) {
  const Tensor host = converted(on_host(x), DataType::f64);
  const auto values = host.span<double>();
  const size_t features = names.size();
  for (size_t f = 0; f < features; ++f)
    for (size_t i = f; i < values.size(); i += features)
      if (!std::isfinite(values[i])) return names[f];
  return {};
}

LoaderSettings loader_settings(const Configuration& configuration, int64_t rank, int64_t ranks) {
  const ForecastTraining training = forecast_settings(configuration).training;
  return {.batch_size = training.batch_size,
          .num_workers = training.num_workers,
          .prefetch_factor = training.prefetch_factor,
          .shuffle = true,
          .key = RandomKey{static_cast<uint64_t>(configuration.seed)}.child(1),
          .rank = rank,
          .ranks = ranks,
          .limit_batches = configuration.training.limit_train_batches};
}

ForecastRule make_rule(const Configuration& configuration, const ForecastRegistries& kinds) {
  const ForecastTraining training = forecast_settings(configuration).training;
  const StrategyKind& strategy = kinds.strategies.find(training.strategy);
  return {.steps = make_steps(training, strategy),
          .strategy = strategy.make(configuration.section("training.strategy_settings")),
          .given_border = strategy.given_border};
}

ForecastTask::ForecastTask(const Configuration& configuration, const ForecastRegistries& kinds,
                           std::shared_ptr<FieldStore> store, const Model& model,
                           Optimizer* learner, Communicator& communicator, const Context& context,
                           Logger& log)
    : settings_(forecast_settings(configuration)),
      graph_(graph_fingerprint(configuration)),
      store_(std::move(store)),
      micro_batches_(configuration.training.accumulate_batches),
      learner_(learner),
      rule_(make_rule(configuration, kinds)),
      forecaster_(model, *store_, rule_, context),
      context_(context),
      log_(log),
      pictures_wanted_(learner && configuration.run.tensorboard && !configuration.run.no_log) {
  const ForecastLoss& loss = kinds.losses.find(settings_.training.loss);
  loss_ = loss.make(configuration.section("training.loss_settings"));
  for (const std::string& name : settings_.training.metrics) {
    const MetricKind& kind = kinds.metrics.find(name);
    metrics_.emplace_back(
        kind.name, kind.make(configuration.section("training.metric_settings." + kind.name)));
  }
  std::vector<double> weights = store_->info().weights();
  if (std::ranges::all_of(weights, [](double weight) { return weight == 0; }))
    throw Error(ErrorKind::configuration,
                "dataset.variables: the weight of every state is 0, so "
                "the loss is, too, and there is nothing to learn");
  const std::vector<double> deviations = store_->info().difference_std();
  for (size_t f = 0; f < weights.size(); ++f) {
    double divisor = 1;
    for (int i = 0; i < loss.power; ++i) divisor *= deviations[f];
    weights[f] /= divisor;
  }
  weights_ = on_device_of(context, vector_tensor(weights, context.floating()), Owner::other,
                          "loss weights");
  interior_mask_ = on_device_of(context, converted(store_->interior_mask(), context.floating()),
                                Owner::other, "interior mask");
  loader_settings_ = loader_settings(configuration, communicator.rank(), communicator.size());
  loader_settings_.pinned =
      context_.device.kind == DeviceKind::cuda && settings_.training.pin_memory;
  // A period without samples is refused now, not when the training is over.
  if (!learner_) return;
  std::ostringstream starts;
  for (const auto& data : {training_data(), evaluation_data(Split::valid)}) {
    for (int64_t i = 0; i < data->size(); ++i) starts << data->sample_time(i) << ' ';
    starts << '\n';
  }
  samples_ = fingerprint(starts.str());
  training_samples_ = training_data()->size();
  if (!configuration.run.no_log) evaluation_data(Split::test);
}

std::shared_ptr<const Dataset> ForecastTask::training_data() const {
  return std::make_shared<const Dataset>(store_, Split::train, rule_.steps.input,
                                         rule_.steps.prediction_train);
}

std::shared_ptr<const Dataset> ForecastTask::evaluation_data(Split split) const {
  return std::make_shared<const Dataset>(store_, split, rule_.steps.input,
                                         rule_.steps.prediction_val_test);
}

std::vector<Move> ForecastTask::round() {
  return {{.name = "train",
           .learner = learner_,
           .micro_batches = micro_batches_,
           .loss = [this](Context& context) { return loss(context); }}};
}

int64_t ForecastTask::batches_per_epoch() const {
  return (training_samples_ + loader_settings_.batch_size - 1) / loader_settings_.batch_size;
}

int64_t ForecastTask::samples_of(int64_t batch) const {
  return std::min(loader_settings_.batch_size,
                  training_samples_ - batch * loader_settings_.batch_size);
}

void ForecastTask::begin_epoch(int64_t epoch, int64_t first_batch) {
  if (!training_)
    training_ = std::make_unique<WeatherBatches>(training_data(), loader_settings_, context_);
  training_->start(epoch, first_batch / loader_settings_.ranks);
}

bool ForecastTask::next_batch() {
  batch_ = training_->next();
  return batch_ && batch_->count > 0;
}

std::string ForecastTask::batch_key() const {
  std::ostringstream stream;
  stream << batch_->inputs.shape() << " x " << batch_->outputs.size(1);
  return stream.str();
}

std::string ForecastTask::describe_batch() const {
  std::string text = batch_->count == 1 ? "the sample of " : "the samples of ";
  for (size_t i = 0; i < batch_->samples.size(); ++i)
    text += (i ? ", " : "") + training_->loader().samples().describe(batch_->samples[i]);
  return text;
}

ForecastInput ForecastTask::input_of(const WeatherBatch& batch) const {
  return {.states = batch.inputs,
          .forcing = batch.forcing,
          .truth = batch.outputs,
          .state_valid = batch.input_valid,
          .forcing_valid = batch.forcing_valid};
}

// Step `prediction` of the outputs; NaN where a value is missing (0 / 0).
Tensor ForecastTask::target_of(Context& context, const WeatherBatch& batch,
                               int64_t prediction) const {
  const auto step = [&](const Tensor& x) {
    return cast(context,
                reshape(context, narrow(context, x, 1, prediction, 1), x.shape().without(1)),
                context.floating());
  };
  Tensor target = step(batch.outputs);
  return batch.output_valid.defined() ? divide(context, target, step(batch.output_valid)) : target;
}

Tensor ForecastTask::losses(Context& context, const Tensor& prediction,
                            const Tensor& target) const {
  return loss_(context, prediction, target, interior_mask_, weights_);
}

Tensor ForecastTask::loss(Context& context) {
  const std::vector<Tensor> predictions = forecaster_(context, input_of(*batch_));
  Tensor sum;
  for (size_t i = 0; i < predictions.size(); ++i) {
    const Tensor target = target_of(context, *batch_, static_cast<int64_t>(i));
    Tensor mean = mean_all(context, losses(context, predictions[i], target));
    sum = sum.defined() ? add(context, std::move(sum), std::move(mean)) : std::move(mean);
  }
  return scale(context, std::move(sum), 1.0 / static_cast<double>(predictions.size()));
}

std::string ForecastTask::first_non_finite(Context& context, const Move&) {
  const std::vector<std::string> names = store_->info().state_names();
  for (const auto& [what, tensor, features] :
       {std::tuple{"input", batch_->inputs, store_->info().input_names()},
        {"truth", batch_->outputs, names}})
    if (const std::string name = bad_feature(tensor, features); !name.empty())
      return std::string("the ") + what + " of variable '" + name + "' is not finite";
  if (const std::string name = bad_feature(batch_->forcing, store_->info().forcing_names);
      !name.empty())
    return "the forcing '" + name + "' is not finite";
  const std::vector<Tensor> predictions = forecaster_(context, input_of(*batch_));
  for (size_t i = 0; i < predictions.size(); ++i)
    if (const std::string name = bad_feature(predictions[i], names); !name.empty())
      return "the first variable whose forecast is not finite is '" + name + "' at prediction " +
             std::to_string(i + 1);
  return "all forecasts are finite but their error is too large";
}

std::vector<double> ForecastTask::lead_hours(int64_t predictions) const {
  std::vector<double> hours;
  for (int64_t i = 1; i <= predictions; ++i)
    hours.push_back(static_cast<double>(i * store_->info().step_seconds) / 3600);
  return hours;
}

Scores ForecastTask::scores(Context context, Split split, Communicator& communicator,
                            const Spectator& see) {
  const auto data = evaluation_data(split);
  const int64_t leads = data->num_pred_steps(), features = store_->info().weather_dim();
  Scores scores(leads, store_->info().state_names(), store_->info().scales());
  LoaderSettings settings = loader_settings_;
  settings.shuffle = false;
  WeatherBatches batches(data, settings, context_);
  batches.start(0);
  context.phase = Phase::evaluate;
  context.tape = nullptr;
  int64_t done = 0;
  Progress progress(log_, split == Split::valid ? "validation" : std::string(name_of(split)),
                    batches.loader().batches());
  while (const WeatherBatch* batch = batches.next()) {
    if (batch->count == 0) continue;
    std::vector<SampleErrors> errors(static_cast<size_t>(batch->count));
    for (size_t b = 0; b < errors.size(); ++b) errors[b].sample = batch->samples[b];
    std::ostringstream key;
    key << "evaluate " << batch->inputs.shape() << " x " << leads;
    const auto step = [&] {
      const std::vector<Tensor> predictions = forecaster_(context, input_of(*batch));
      std::vector<std::pair<Tensor, Tensor>> results;  // sums and loss by lead
      for (size_t lead = 0; lead < predictions.size(); ++lead) {
        const Tensor target = target_of(context, *batch, static_cast<int64_t>(lead));
        if (see && !context.dry())
          see(*batch, static_cast<int64_t>(lead), predictions[lead], target);
        results.emplace_back(error_sums(context, predictions[lead], target, interior_mask_),
                             losses(context, predictions[lead], target));
      }
      if (context.dry()) return;
      for (const auto& [sums_there, loss_there] : results) {
        const Tensor sums = on_host(sums_there),
                     loss = converted(on_host(loss_there), DataType::f64);
        for (size_t b = 0; b < errors.size(); ++b) {
          errors[b].loss.push_back(loss.data<double>()[b]);
          for (int64_t f = 0; f < features; ++f) {
            const double* sum = sums.data<double>() + (static_cast<int64_t>(b) * features + f) * 4;
            errors[b].squared.push_back(sum[0]);
            errors[b].absolute.push_back(sum[1]);
            errors[b].bias.push_back(sum[2]);
            errors[b].count.push_back(sum[3]);
          }
        }
      }
    };
    if (context.arena)
      context.arena->run(key.str(), step);
    else
      step();
    for (SampleErrors& sample : errors) scores.add(std::move(sample));
    progress.update(++done);
  }
  scores.gather(communicator);
  return scores;
}

Evaluation ForecastTask::evaluate(Context context, Split split, Communicator& communicator) {
  const auto example = std::make_shared<Example>();
  const int64_t last = rule_.steps.prediction_val_test - 1;
  const Spectator see = [&](const WeatherBatch& batch, int64_t lead, const Tensor& forecast,
                            const Tensor& truth) {
    if (batch.samples[0] != 0 || (split == Split::valid && lead != last)) return;
    example->truth[lead] = first_fields(truth, pictured);
    example->forecast[lead] = first_fields(forecast, pictured);
  };
  const Scores result =
      scores(std::move(context), split, communicator, pictures_wanted_ ? see : Spectator());
  const std::string prefix(split == Split::valid ? "val" : name_of(split));
  const std::vector<double> hours = lead_hours(result.leads());
  Evaluation evaluation;
  evaluation.loss = result.loss();
  evaluation.scalars.emplace_back(prefix + "_mean_loss", result.loss());
  for (int64_t lead = 0; lead < result.leads(); ++lead) {
    evaluation.scalars.emplace_back(prefix + "_loss_unroll" + std::to_string(lead + 1),
                                    result.loss(lead));
    for (const auto& [name, metric] : metrics_)
      for (size_t f = 0; f < result.features().size(); ++f)
        evaluation.scalars.emplace_back(prefix + "_" + name + "/" + result.features()[f] + "_" +
                                            lead_text(hours[static_cast<size_t>(lead)]) + "h",
                                        result.value(metric, lead, f));
  }
  evaluation.scores = result.to_json(hours, metrics_);
  evaluation.scores["samples"] = result.size();
  if (!example->truth.empty())
    evaluation.pictures = [this, split, example] { return pictures_of(split, *example); };
  return evaluation;
}

}  // namespace py4cast
