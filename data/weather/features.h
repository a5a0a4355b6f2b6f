// From variables of a source to features, and from their times to a step.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/weather/dataset_info.h"
#include "data/weather/source.h"

namespace py4cast {

// One feature per level (empty: all levels of the data) or one alone, in the order of the levels; names as
// data/weather/field_store.h says, from `short_name` (empty: the name in the file). Without weight that of
// the source. Error(configuration): a level that the data lack; `key` is that of the variables in the
// configuration ("dataset.variables"). Error(data): there is no such variable.
struct FeatureWish {
  std::string key, variable, short_name;
  std::vector<double> levels;
  std::optional<double> weight;
};
std::vector<Feature> make_features(const FieldSource& source, const FeatureWish& wish);

// The most frequent distance of sorted times; the smaller one of equally frequent ones; 0: fewer than two.
int64_t usual_step(const std::vector<Time>& times);

// Hours of the key as whole seconds; 0 stands for "not given". Error(configuration): under 1 s, over 10^9 hours.
int64_t seconds_of(double hours, const std::string& key);

// The index of a time on a sorted axis.
std::optional<int64_t> index_of(const std::vector<Time>& axis, Time time);

}  // namespace py4cast
