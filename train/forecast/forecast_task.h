// The first task: limited-area weather forecasting.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "data/weather/weather_batches.h"
#include "engine/log.h"
#include "train/configuration.h"
#include "train/forecast/forecaster.h"
#include "train/forecast/scores.h"
#include "train/task.h"

namespace py4cast {

// How the training samples come: shuffled batches, dealt to the ranks.
LoaderSettings loader_settings(const Configuration& configuration, int64_t rank, int64_t ranks);

// Steps and strategy of a configuration. Error(configuration): see make_steps.
ForecastRule make_rule(const Configuration& configuration, const ForecastRegistries& kinds);

// The first feature of x [..., features] with a value that is not finite; empty: there is none.
std::string bad_feature(const Tensor& x, const std::vector<std::string>& names);

// Loss: that of training.loss over the interior, mean over samples and predictions; weight of a
// feature: its level weight / difference_std^power. Evaluation: the same loss for each prediction,
// and the metrics of each feature in physical units.
class ForecastTask : public Task {
 public:
  // learner: of the model's parameters; null: the task forecasts and is not trained. log: shows how far evaluations are.
  ForecastTask(const Configuration& configuration, const ForecastRegistries& kinds,
               std::shared_ptr<FieldStore> store, const Model& model, Optimizer* learner,
               Communicator& communicator, const Context& context, Logger& log);

  std::vector<Move> round() override;
  int64_t batches_per_epoch() const override;
  int64_t samples_of(int64_t batch) const override;
  void begin_epoch(int64_t epoch, int64_t first_batch) override;
  bool next_batch() override;
  std::string batch_key() const override;
  std::string describe_batch() const override;
  std::string first_non_finite(Context& context, const Move& move) override;
  Evaluation evaluate(Context context, Split split, Communicator& communicator) override;

  std::vector<std::string> folder_names() const override;
  nlohmann::ordered_json checkpoint_record() const override;
  std::string check(const nlohmann::ordered_json& record, const std::string& origin) const override;
  void check_same_data(const nlohmann::ordered_json& record,
                       const std::string& origin) const override;
  // Error(configuration): the network of the record has another graph.
  void check_graph(const nlohmann::ordered_json& record, const std::string& origin) const;
  void write_files(const RunFolder& folder) const override;
  std::string description() const override;
  std::string summary() const override;
  // Beside the scores those of the baselines (train/forecast/baselines.h).
  bool has_samples(Split split) const override;
  TestReport test(const Context& context, Split split, Communicator& communicator) override;

  Tensor loss(Context& context);  // of the current batch

  // Who sees each forecast beside its truth, [batch, rows, columns, state] or [batch, points, state], in the network's
  // units, NaN where a value is missing.
  using Spectator = std::function<void(const WeatherBatch& batch, int64_t lead,
                                       const Tensor& prediction, const Tensor& target)>;
  // Scores over a split.
  Scores scores(Context context, Split split, Communicator& communicator,
                const Spectator& see = {});
  std::vector<double> lead_hours(int64_t predictions) const;
  const FieldStore& store() const { return *store_; }
  std::shared_ptr<const Dataset> training_data() const;
  std::shared_ptr<const Dataset> evaluation_data(Split split) const;

 private:
  ForecastInput input_of(const WeatherBatch& batch) const;
  Tensor target_of(Context& context, const WeatherBatch& batch, int64_t prediction) const;
  // Of the first sample of a split: the fields of some leads, [points, the first `pictured` of the state].
  static constexpr size_t pictured = 4;
  struct Example {
    std::map<int64_t, std::vector<float>> truth, forecast;
  };
  std::vector<Picture> pictures_of(Split split, const Example& example) const;
  Statistics all_statistics() const;
  std::string other_scale(const nlohmann::ordered_json& record) const;
  std::vector<std::pair<std::string, std::string>> meaning() const;
  Tensor losses(Context& context, const Tensor& prediction, const Tensor& target) const;  // [batch]

  const ForecastSettings settings_;
  const std::string
      graph_;            // fingerprint of the file that the network's graph comes from; or empty
  std::string samples_;  // fingerprint of the t0 of those for training and validation
  int64_t training_samples_ = 0;
  std::shared_ptr<FieldStore> store_;
  const int64_t micro_batches_;  // of a rank in one optimiser step
  Optimizer* learner_;
  const ForecastRule rule_;
  Forecaster forecaster_;
  Loss loss_;
  Metrics metrics_;
  Tensor weights_;        // [state]
  Tensor interior_mask_;  // [rows, columns, 1]
  LoaderSettings loader_settings_;
  Context context_;
  std::unique_ptr<WeatherBatches> training_;
  const WeatherBatch* batch_ = nullptr;
  Logger& log_;
  bool pictures_wanted_ = false;
};

}  // namespace py4cast
