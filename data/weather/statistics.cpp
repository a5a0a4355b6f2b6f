#include "data/weather/statistics.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

constexpr int format_version = 2;

// In two passes, so nothing cancels. NaN is left out.
Moments moments_of(const std::vector<double>& values) {
  const auto size = static_cast<int64_t>(values.size());
  const double* v = values.data();
  double sum = 0, squares = 0;
  int64_t count = 0;
#pragma omp simd reduction(+ : sum, count)
  for (int64_t i = 0; i < size; ++i) {
    sum += std::isnan(v[i]) ? 0 : v[i];
    count += !std::isnan(v[i]);
  }
  if (count == 0) return {};
  const double mean = sum / static_cast<double>(count);
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < size; ++i)
    squares += std::isnan(v[i]) ? 0 : (v[i] - mean) * (v[i] - mean);
  return {count, mean, squares};
}

std::vector<int64_t> lengths_of_rows(const std::vector<bool>& seen) {
  std::vector<int64_t> lengths = {0};
  bool current = true;
  for (const bool value : seen) {
    if (value != current) lengths.push_back(0);
    current = value;
    ++lengths.back();
  }
  return lengths.size() == 1 ? std::vector<int64_t>() : lengths;
}

}  // namespace

std::vector<bool> points_without_value(const FeatureStatistics& statistics, int64_t points) {
  std::vector<bool> result;
  int64_t sum = 0;
  for (size_t i = 0; i < statistics.never.size() && statistics.never[i] >= 0; ++i) {
    if (statistics.never[i] > points - sum) return {};
    sum += statistics.never[i];
    result.resize(static_cast<size_t>(sum), i % 2 == 1);
  }
  return sum == points ? result : std::vector<bool>();
}

void Moments::merge(const Moments& other) {
  if (other.count == 0) return;
  const double n = static_cast<double>(count), m = static_cast<double>(other.count);
  const double shift = other.mean - mean;
  count += other.count;
  mean += shift * m / (n + m);
  squares += other.squares + shift * shift * n * m / (n + m);
}

double Moments::deviation() const {
  return count ? std::sqrt(squares / static_cast<double>(count)) : 0;
}

FeatureStatistics compute_statistics(const std::string& name, int64_t fields, int64_t points,
                                     const std::vector<int64_t>& next,
                                     const std::function<void(int64_t, float*)>& read) {
  FeatureStatistics result{.name = name};
  Moments all, differences;
  double minimum = std::numeric_limits<double>::infinity(), maximum = -minimum;
  std::vector<double> values(static_cast<size_t>(points));
  std::vector<bool> seen(static_cast<size_t>(points));
  // Fields are read once: they wait here for their partner, which comes later.
  struct Waiting {
    int64_t partner;
    std::vector<float> field;
  };
  std::deque<Waiting> waiting;
  for (int64_t i = 0; i < fields; ++i) {
    std::vector<float> field(static_cast<size_t>(points));
    read(i, field.data());
    for (size_t k = 0; k < field.size(); ++k) {
      minimum = std::fmin(minimum, field[k]);
      maximum = std::fmax(maximum, field[k]);
      if (!std::isnan(field[k])) seen[k] = true;
    }
    std::copy(field.begin(), field.end(), values.begin());
    all.merge(moments_of(values));
    for (auto earlier = waiting.begin(); earlier != waiting.end();) {
      if (earlier->partner != i) {
        ++earlier;
        continue;
      }
      for (size_t k = 0; k < values.size(); ++k)
        values[k] = static_cast<double>(field[k]) - static_cast<double>(earlier->field[k]);
      differences.merge(moments_of(values));
      earlier = waiting.erase(earlier);
    }
    if (next[static_cast<size_t>(i)] > i)
      waiting.push_back({next[static_cast<size_t>(i)], std::move(field)});
  }
  result.mean = all.mean;
  result.std = all.deviation();
  result.minimum = minimum;
  result.maximum = maximum;
  result.never = lengths_of_rows(seen);
  if (result.std > 0 && differences.count > 0) {
    result.difference_mean = differences.mean / result.std;
    result.difference_std = differences.deviation() / result.std;
  }
  return result;
}

Json to_json(const Statistics& statistics) {
  Json json = Json::array();
  for (const FeatureStatistics& s : statistics) {
    json.push_back({{"name", s.name},
                    {"mean", s.mean},
                    {"std", s.std},
                    {"minimum", s.minimum},
                    {"maximum", s.maximum},
                    {"difference_mean", s.difference_mean},
                    {"difference_std", s.difference_std}});
    if (!s.never.empty()) json.back()["never_a_value"] = s.never;
  }
  return json;
}

Statistics statistics_from_json(const Json& json, const std::string& origin) {
  try {
    Statistics statistics;
    for (const auto& entry : json)
      statistics.push_back({.name = entry.at("name"),
                            .mean = entry.at("mean"),
                            .std = entry.at("std"),
                            .minimum = entry.at("minimum"),
                            .maximum = entry.at("maximum"),
                            .difference_mean = entry.at("difference_mean"),
                            .difference_std = entry.at("difference_std"),
                            .never = entry.value("never_a_value", std::vector<int64_t>())});
    return statistics;
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::data, origin, ": these are no statistics: ", error.what());
  }
}

StatisticsCache::StatisticsCache(std::string folder, std::string made_from)
    : folder_(std::move(folder)), made_from_(std::move(made_from)) {}

std::string StatisticsCache::file() const {
  // The file holds the whole text, too, so two texts with one fingerprint cannot give wrong numbers.
  return folder_ + "/statistics_" + fingerprint(made_from_) + ".json";
}

bool StatisticsCache::load(Statistics& statistics, std::vector<std::string>& notes) const {
  if (folder_.empty() || !std::filesystem::exists(file())) return false;
  try {
    const Json json = read_json_file(file(), ErrorKind::data);
    if (!is_sealed(json)) throw Error(ErrorKind::data, std::string("its checksum is not its own"));
    if (json.at("format_version") != format_version || json.at("made_from") != made_from_)
      return false;
    statistics = statistics_from_json(json.at("features"), "features");
    return true;
  } catch (const std::exception& error) {
    notes.push_back(file() + " is damaged (" + error.what() + "): statistics are computed again");
    return false;
  }
}

void StatisticsCache::save(const Statistics& statistics, std::vector<std::string>& notes) const {
  if (folder_.empty()) return;
  const Json json = sealed({{"format_version", format_version},
                            {"made_from", made_from_},
                            {"features", to_json(statistics)}});
  try {
    make_folders(folder_);
    write_file(file(), json.dump(2) + "\n");
  } catch (const Error& error) {
    notes.push_back(std::string(error.what()) + "; statistics will be computed again next time");
  }
}

}  // namespace py4cast
