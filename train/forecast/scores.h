// Verification scores of forecasts.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "engine/communicator.h"
#include "train/forecast/registries.h"

namespace py4cast {

// Sums of errors of one sample over the interior points, in units of the standard deviation.
struct SampleErrors {
  int64_t sample = 0;                                  // position in the split
  std::vector<double> squared, absolute, count, bias;  // [lead, feature]
  std::vector<double> loss;                            // [lead]
};

// Metrics by name.
using Metrics = std::vector<std::pair<std::string, Metric>>;

// Scores over a split. Sums are made in the order of the samples, whatever rank evaluated them, so
// they do not depend on the number of ranks or on the batch size.
class Scores {
 public:
  Scores(int64_t leads, std::vector<std::string> features, std::vector<double> scale)
      : leads_(leads), features_(std::move(features)), scale_(std::move(scale)) {}

  void add(SampleErrors errors) { samples_.push_back(std::move(errors)); }
  // Collects the samples of all ranks; every rank then holds all.
  void gather(Communicator& communicator);

  ErrorMeans means(int64_t lead, size_t feature) const;
  // In physical units (scale = standard deviation of the feature). NaN without points.
  double value(const Metric& metric, int64_t lead, size_t feature) const {
    return metric(means(lead, feature), scale_[feature]);
  }
  double loss(int64_t lead) const;  // mean over samples; NaN if none has a value then
  double loss() const;              // mean over samples and the leads with values; NaN without any

  int64_t leads() const { return leads_; }
  size_t size() const { return samples_.size(); }
  const std::vector<std::string>& features() const { return features_; }
  // {metric: {feature: {"<lead in hours>": value}}}
  Json to_json(const std::vector<double>& lead_hours, const Metrics& metrics) const;

 private:
  bool has_values(int64_t lead) const;
  double mean(std::vector<double> SampleErrors::*member, int64_t lead, size_t feature) const;
  double root_of_sample(int64_t lead, size_t feature) const;

  int64_t leads_;
  std::vector<std::string> features_;
  std::vector<double> scale_;
  std::vector<SampleErrors> samples_;  // after gather: in order of the samples
};

// "1", "0.25": the text of a lead time in hours, used as key.
std::string lead_text(double hours);

}  // namespace py4cast
