#include "train/forecast/scores.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

namespace py4cast {
namespace {

using Member = std::vector<double> SampleErrors::*;
constexpr Member members[] = {&SampleErrors::squared, &SampleErrors::absolute, &SampleErrors::count,
                              &SampleErrors::bias, &SampleErrors::loss};

}  // namespace

std::string lead_text(double hours) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", hours);
  return text;
}

void Scores::gather(Communicator& communicator) {
  std::vector<double> own;
  for (const SampleErrors& sample : samples_) {
    own.push_back(static_cast<double>(sample.sample));
    for (Member member : members)
      own.insert(own.end(), (sample.*member).begin(), (sample.*member).end());
  }
  const auto* first = reinterpret_cast<const std::byte*>(own.data());
  const auto all = communicator.all_gather(std::span(first, own.size() * sizeof(double)));
  samples_.clear();
  const size_t cells = static_cast<size_t>(leads_) * features_.size();
  for (const auto& bytes : all) {
    std::vector<double> values(bytes.size() / sizeof(double));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    for (auto at = values.begin(); at != values.end();) {
      SampleErrors sample;
      sample.sample = static_cast<int64_t>(*at++);
      for (Member member : members) {
        const auto size = static_cast<int64_t>(
            member == &SampleErrors::loss ? static_cast<size_t>(leads_) : cells);
        (sample.*member).assign(at, at + size);
        at += size;
      }
      samples_.push_back(std::move(sample));
    }
  }
  std::sort(samples_.begin(), samples_.end(),
            [](const auto& a, const auto& b) { return a.sample < b.sample; });
}

double Scores::mean(Member member, int64_t lead, size_t feature) const {
  const size_t cell = static_cast<size_t>(lead) * features_.size() + feature;
  double sum = 0, count = 0;
  for (const SampleErrors& sample : samples_) {
    sum += (sample.*member)[cell];
    count += sample.count[cell];
  }
  return count > 0 ? sum / count : std::nan("");
}

double Scores::root_of_sample(int64_t lead, size_t feature) const {
  const size_t cell = static_cast<size_t>(lead) * features_.size() + feature;
  double sum = 0, samples = 0;
  for (const SampleErrors& sample : samples_) {
    if (!(sample.count[cell] > 0)) continue;
    sum += std::sqrt(sample.squared[cell] / sample.count[cell]);
    ++samples;
  }
  return samples > 0 ? sum / samples : std::nan("");
}

ErrorMeans Scores::means(int64_t lead, size_t feature) const {
  return {.squared = mean(&SampleErrors::squared, lead, feature),
          .absolute = mean(&SampleErrors::absolute, lead, feature),
          .bias = mean(&SampleErrors::bias, lead, feature),
          .root_of_sample = root_of_sample(lead, feature)};
}

bool Scores::has_values(int64_t lead) const {
  const auto features = static_cast<int64_t>(features_.size());
  return std::ranges::any_of(samples_, [&](const SampleErrors& sample) {
    const auto first = sample.count.begin() + lead * features;
    return std::any_of(first, first + features, [](double count) { return count > 0; });
  });
}

double Scores::loss(int64_t lead) const {
  if (!has_values(lead)) return std::nan("");
  double sum = 0;
  for (const SampleErrors& sample : samples_) sum += sample.loss[static_cast<size_t>(lead)];
  return sum / static_cast<double>(samples_.size());
}

double Scores::loss() const {
  double sum = 0, leads = 0;
  for (int64_t lead = 0; lead < leads_; ++lead) {
    if (!has_values(lead)) continue;
    sum += loss(lead);
    ++leads;
  }
  return leads > 0 ? sum / leads : std::nan("");
}

Json Scores::to_json(const std::vector<double>& lead_hours, const Metrics& metrics) const {
  Json result = Json::object();
  for (const auto& [name, metric] : metrics)
    for (size_t feature = 0; feature < features_.size(); ++feature)
      for (int64_t lead = 0; lead < leads_; ++lead)
        result[name][features_[feature]][lead_text(lead_hours[static_cast<size_t>(lead)])] =
            value(metric, lead, feature);
  return result;
}

}  // namespace py4cast
