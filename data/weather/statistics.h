// Means and deviations of the features over the training period.
//
// mean, std, minimum and maximum of all points of all fields of the period, every field counted
// once; the difference statistics are those of z(t + step) - z(t) over all pairs of times that both
// lie in the period, with z = (v - mean) / std, so they are in units of the state's deviation.
// Deviations divide by the count; missing values do not count. Computed in double precision, one
// field at a time, in a fixed order: the result does not depend on the number of threads.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/weather/source.h"
#include "engine/settings/json.h"

namespace py4cast {

struct FeatureStatistics {
  std::string name;
  double mean = 0, std = 1, minimum = 0, maximum = 0;  // physical units
  double difference_mean = 0, difference_std = 1;      // units of std
  // Points that never have a value, as lengths of rows of points that have one and that have none, by
  // turns; empty: all have one.
  std::vector<int64_t> never = {};
  bool operator==(const FeatureStatistics&) const = default;
};
using Statistics = std::vector<FeatureStatistics>;

Json to_json(const Statistics& statistics);
// Error(data): not what to_json wrote; names `origin`, the file.
Statistics statistics_from_json(const Json& json, const std::string& origin);

// True at the points that never have a value. Empty: none such, or statistics of another grid.
std::vector<bool> points_without_value(const FeatureStatistics& statistics, int64_t points);

// Count, mean and sum of squared deviations of a set of numbers.
struct Moments {
  int64_t count = 0;
  double mean = 0, squares = 0;
  void merge(const Moments& other);  // Chan, Golub and LeVeque 1979
  double deviation() const;          // divides by the count
};

// One feature's statistics over a series of times. `read(i, out)` gives field i (points values, NaN
// where missing), `next[i]` is the index of the field one step after field i, or -1.
FeatureStatistics compute_statistics(const std::string& name, int64_t fields, int64_t points,
                                     const std::vector<int64_t>& next,
                                     const std::function<void(int64_t, float*)>& read);

// Statistics in a file of the folder, under a name made from `made_from` (a text that changes with
// whatever they depend on). `load` gives false where there is none, or a damaged one (a note says
// so). `save` writes as write_file does; a folder that cannot be written is a note, too.
class StatisticsCache {
 public:
  StatisticsCache(std::string folder, std::string made_from);  // empty folder: nothing is kept
  bool load(Statistics& statistics, std::vector<std::string>& notes) const;
  void save(const Statistics& statistics, std::vector<std::string>& notes) const;
  std::string file() const;

 private:
  std::string folder_, made_from_;
};

}  // namespace py4cast
