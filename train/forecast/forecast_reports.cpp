// What a forecasting task tells the programs: for logs, checkpoints and the test.
#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "engine/error.h"
#include "engine/parameters.h"
#include "train/checkpoint.h"
#include "train/forecast/baselines.h"
#include "train/forecast/experiment.h"
#include "train/forecast/field_picture.h"
#include "train/forecast/forecast_task.h"
#include "train/forecast/score_table.h"
#include "train/run_folder.h"

namespace py4cast {
namespace {

// `predict` and `test` standardise with the file that the run began with; its network goes on with `now`.
void check_same_statistics(const Statistics& now, const Statistics& before,
                           const std::string& file) {
  constexpr double rounding = 1e-9;  // of sums that were added in another order
  const auto refuse = [&](const std::string& name, const auto&... parts) {
    throw Error(ErrorKind::configuration, file,
                ": the data are not those of the run to be resumed: variable '", name, "' ",
                parts..., "; --load_model_ckpt starts a new run from its weights");
  };
  for (const FeatureStatistics& is : now) {
    const auto was = std::ranges::find(before, is.name, &FeatureStatistics::name);
    if (was == before.end()) refuse(is.name, "is not in that file");
    for (const auto& [what, number, unit] :
         {std::tuple("mean", &FeatureStatistics::mean, is.std),
          std::tuple("standard deviation", &FeatureStatistics::std, is.std),
          std::tuple("smallest value", &FeatureStatistics::minimum, is.std),
          std::tuple("largest value", &FeatureStatistics::maximum, is.std),
          std::tuple("mean of its changes", &FeatureStatistics::difference_mean, 1.0),
          std::tuple("deviation of its changes", &FeatureStatistics::difference_std, 1.0)})
      if (!(std::abs(is.*number - (*was).*number) <=
            rounding * std::max(std::abs(is.*number), unit)))
        refuse(is.name, "has in the training period the ", what, " ", Json(is.*number).dump(),
               ", and had ", Json((*was).*number).dump());
    if (is.never != was->never) refuse(is.name, "lacks values at other points than it did");
  }
}

}  // namespace

std::vector<std::string> ForecastTask::folder_names() const {
  return {settings_.dataset.name, settings_.model.name};
}

// What the numbers that the network gets and gives stand for: words by key.
std::vector<std::pair<std::string, std::string>> ForecastTask::meaning() const {
  const Grid& grid = store_->grid();
  const auto toward = [](const std::vector<double>& axis, size_t next, const char* more,
                         const char* less) {
    return next >= axis.size() || axis[next] > axis[0] ? more : less;
  };
  std::vector<std::pair<std::string, std::string>> result = {
      {"standardize", store_->settings().standardize ? "true" : "false"},
      {"strategy", settings_.training.strategy}};
  // Of a projection its own axes: north is somewhere else at each point.
  const bool plane = grid.axis_units != "1";
  if (plane || grid.separable) {
    const auto row = static_cast<size_t>(grid.columns);
    result.emplace_back("rows_toward",
                        toward(plane ? grid.y : grid.latitude, row, "north", "south"));
    result.emplace_back("columns_toward",
                        toward(plane ? grid.x : grid.longitude, 1, "east", "west"));
  }
  return result;
}

nlohmann::ordered_json ForecastTask::checkpoint_record() const {
  Json record = feature_record(store_->info(), rule_.steps);
  for (const auto& [key, word] : meaning()) record[key] = word;
  record["input_features"] =
      input_features(store_->info(), rule_.steps, store_->settings().missing == Missing::mask);
  record["domain"] = store_->info().domain_info;
  record["data"] = store_->content();
  record["samples"] = samples_;
  for (const FeatureStatistics& feature : all_statistics()) {
    record["means"].push_back(feature.mean);
    record["deviations"].push_back(feature.std);
    record["changes"].push_back(feature.difference_std);
  }
  if (!graph_.empty()) record["graph"] = graph_;
  return record;
}

std::string ForecastTask::check(const nlohmann::ordered_json& record,
                                const std::string& origin) const {
  check_same_features(record, store_->info(), rule_.steps, origin);
  for (const auto& [key, word] : meaning())
    if (record.contains(key) && record[key] != word)
      throw Error(ErrorKind::configuration, origin, ": the network was trained with ", key, " ",
                  record[key].dump(), ", but the data and the settings give \"", word, "\"",
                  key.ends_with("_toward") ? "; reverse that axis of the data" : "");
  std::string doubt;
  const std::string& domain = store_->info().domain_info;
  if (record.contains("domain") && record["domain"] != domain)
    doubt = origin + ": the network was trained on " + record["domain"].get<std::string>() +
            "; these data have " + domain;
  if (const std::string other = other_scale(record); !other.empty())
    doubt += (doubt.empty() ? origin + ": the network was trained " : "; ") + other;
  return doubt;
}

// The feature whose scale is farthest from that which the network was trained with: its mean or deviation by more than a
// tenth of the deviation, or the deviation of its changes by more than a half.
std::string ForecastTask::other_scale(const nlohmann::ordered_json& record) const {
  if (!store_->info().standardize || !record.contains("changes")) return {};
  const std::vector<double> means = record["means"], deviations = record["deviations"],
                            changes = record["changes"];
  const Statistics now = all_statistics();
  size_t worst = 0, others = 0;
  double farthest = 0;
  for (size_t i = 0; i < std::min(means.size(), now.size()); ++i) {
    const double change = changes[i] / now[i].difference_std;
    const double distance = std::max({std::abs(means[i] - now[i].mean) / deviations[i] / 0.1,
                                      std::abs(deviations[i] - now[i].std) / deviations[i] / 0.1,
                                      std::abs(std::log(change)) / std::log(1.5)});
    if (!(distance > 1)) continue;
    ++others;
    if (!(distance > farthest)) continue;
    farthest = distance;
    worst = i;
  }
  if (others == 0) return {};
  std::ostringstream text;
  text << "with '" << now[worst].name << "' standardised by the mean " << means[worst]
       << " and the deviation " << deviations[worst] << ", not by " << now[worst].mean << " and "
       << now[worst].std << ", and with changes of " << changes[worst] << " deviations, not "
       << now[worst].difference_std;
  if (others > 1) text << "; " << others - 1 << " more differ";
  return text.str();
}

void ForecastTask::check_same_data(const nlohmann::ordered_json& record,
                                   const std::string& origin) const {
  check(record, origin);
  if (record.value("data", Json()) != store_->content())
    throw Error(
        ErrorKind::configuration, origin, ": the data are not those of the run to be resumed: ",
        "the content of their files has another fingerprint; --load_model_ckpt starts a new "
        "run from its weights");
  if (record.value("samples", samples_) != samples_)
    throw Error(ErrorKind::configuration, origin, ": the run to be resumed was made from samples ",
                "with other starts; --load_model_ckpt starts a new run from its weights");
  if (const auto before = read_statistics(origin))
    check_same_statistics(all_statistics(), *before, find_run(origin) + "/statistics.json");
  check_graph(record, origin);
}

// State, then forcings.
Statistics ForecastTask::all_statistics() const {
  Statistics all = store_->info().state_statistics;
  const Statistics& forcings = store_->info().forcing_statistics;
  all.insert(all.end(), forcings.begin(), forcings.end());
  return all;
}

void ForecastTask::check_graph(const nlohmann::ordered_json& record,
                               const std::string& origin) const {
  if (record.value("graph", Json("")) != Json(graph_))
    throw Error(ErrorKind::configuration, origin, ": the file of model.settings.graph is not the ",
                "one that the network was trained with: its content has another fingerprint");
}

// The statistics that the network is trained with.
void ForecastTask::write_files(const RunFolder& folder) const {
  folder.write_json("statistics.json", to_json(all_statistics()));
}

std::string ForecastTask::description() const {
  const ForecastTraining& training = settings_.training;
  return settings_.model.name + ": " + std::to_string(learner_->slab().count()) + " parameters; " +
         std::to_string(training_samples_) + " training samples; steps ahead " +
         std::to_string(training.num_pred_steps_train) + ", in validation " +
         std::to_string(training.num_pred_steps_val_test);
}

std::string ForecastTask::summary() const {
  const auto samples = [&](Split split) { return std::to_string(evaluation_data(split)->size()); };
  return store_->info().summary() + settings_.model.name + ": " +
         std::to_string(learner_->slab().count()) + " trainable parameters\n" +
         std::to_string(training_samples_) + " training, " + samples(Split::valid) +
         " validation, " + samples(Split::test) + " test samples\n";
}

// Of the first features, as the original shows them.
std::vector<Picture> ForecastTask::pictures_of(Split split, const Example& example) const {
  const DatasetInfo& info = store_->info();
  const Tensor interior = converted(on_host(interior_mask_), DataType::f32);
  const auto points = static_cast<size_t>(info.rows * info.columns);
  const size_t features = std::min(pictured, info.state.size());
  std::vector<float> truth(points), forecast(points);
  std::vector<Picture> pictures;
  for (size_t f = 0; f < features; ++f) {
    const FeatureStatistics& statistics = info.state_statistics[f];
    const std::vector<bool> never = points_without_value(statistics, info.rows * info.columns);
    for (const auto& [lead, values] : example.truth) {
      for (size_t p = 0; p < points; ++p)
        for (const auto& [to, from] :
             {std::pair(&truth, &values), std::pair(&forecast, &example.forecast.at(lead))})
          (*to)[p] = !never.empty() && never[p]
                         ? std::numeric_limits<float>::quiet_NaN()
                         : static_cast<float>(static_cast<double>((*from)[p * features + f]) *
                                                  info.scale(statistics) +
                                              info.offset(statistics));
      const std::string lead_time =
          lead_text(lead_hours(lead + 1)[static_cast<size_t>(lead)]) + "h";
      pictures.push_back(
          comparison_picture((split == Split::valid ? "val" : std::string(name_of(split))) +
                                 "_example/" + info.state[f].name + "_" + lead_time,
                             store_->grid(), truth, forecast, interior.span<float>()));
    }
  }
  return pictures;
}

bool ForecastTask::has_samples(Split split) const {
  try {
    return evaluation_data(split)->size() > 0;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;
    return false;
  }
}

TestReport ForecastTask::test(const Context& context, Split split, Communicator& communicator) {
  const Evaluation evaluation = evaluate(context, split, communicator);
  const BaselineScores references =
      baseline_scores(*evaluation_data(split), {}, communicator, settings_.dataset.cache_folder);
  TestReport report{.scalars = evaluation.scalars, .pictures = evaluation.pictures};
  if (!communicator.root()) return report;
  if (!std::isfinite(evaluation.loss))
    report.text += "warning: the loss of the " + std::string(name_of(split)) +
                   " period is no number: it has no values, or its forecasts do not stay finite\n";
  for (const std::string& note : references.notes) report.text += note + "\n";
  if (const int64_t all = evaluation_data(split)->size(); all > evaluation.scores["samples"])
    report.text += "The baselines are those of all " + std::to_string(all) +
                   " samples of the period, the network's scores of some alone\n";
  report.scores = {{std::string(name_of(split)), evaluation.scores},
                   {"references", references.scores}};
  const DatasetInfo& info = store_->info();
  std::ostringstream head;
  const auto samples = evaluation.scores["samples"].get<int64_t>();
  head << name_of(split) << ": " << samples << (samples == 1 ? " sample" : " samples") << ", loss "
       << evaluation.loss << "\n";
  std::vector<Forecast> forecasts = reference_forecasts(references.scores);
  const bool rmse = evaluation.scores.contains("rmse");
  if (!rmse) forecasts.clear();  // the baselines have no other score
  const std::string shown = rmse || metrics_.empty() ? "rmse" : metrics_.front().first;
  if (evaluation.scores.contains(shown))
    forecasts.insert(forecasts.begin(), {settings_.model.name, evaluation.scores[shown]});
  report.text += head.str() + score_table(forecasts, info.state_names(), info.state_units(),
                                          rmse ? "RMSE" : shown);
  return report;
}

}  // namespace py4cast
