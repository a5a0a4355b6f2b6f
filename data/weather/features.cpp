#include "data/weather/features.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "engine/error.h"

namespace py4cast {
namespace {

int64_t find_level(const VariableInfo& info, double level, const std::string& key) {
  if (const auto found = info.index_of_level(level)) return *found;
  std::ostringstream known;
  for (size_t i = 0; i < info.levels.size(); ++i) known << (i ? ", " : "") << info.levels[i];
  throw Error(
      ErrorKind::configuration, key, ".", info.name, ".levels: ", level, " ", info.level_units,
      " is none of the levels of the data: ", info.levels.empty() ? "they have none" : known.str());
}

}  // namespace

std::vector<Feature> make_features(const FieldSource& source, const FeatureWish& wish) {
  const VariableInfo& info = source.variable(wish.variable);
  const std::string short_name = wish.short_name.empty() ? wish.variable : wish.short_name;
  Feature feature{.name = short_name,
                  .short_name = short_name,
                  .variable = info.name,
                  .units = info.units,
                  .long_name = info.long_name,
                  .standard_name = info.standard_name,
                  .cell_methods = info.cell_methods,
                  .only_level = info.only_level,
                  .level_name = info.level_name,
                  .level_units = info.level_units,
                  .level_standard_name = info.level_standard_name,
                  .level_positive = info.level_positive,
                  .file = source.file_of({.variable = info.name})};
  std::vector<Feature> features;
  const auto& levels = wish.levels.empty() ? info.levels : wish.levels;
  for (const double level : levels) {
    std::ostringstream name;
    name << short_name << "_" << level << info.level_suffix;
    feature.name = name.str();
    feature.level_index = find_level(info, level, wish.key);
    feature.level = level;
    feature.weight = wish.weight.value_or(source.default_weight(info, level));
    features.push_back(feature);
  }
  if (!levels.empty()) return features;
  feature.weight = wish.weight.value_or(source.default_weight(info, 0));
  return {feature};
}

int64_t usual_step(const std::vector<Time>& times) {
  std::map<int64_t, int64_t> counts;
  for (size_t i = 1; i < times.size(); ++i) ++counts[times[i] - times[i - 1]];
  const auto most = std::ranges::max_element(
      counts, [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? 0 : most->first;
}

int64_t seconds_of(double hours, const std::string& key) {
  constexpr double longest = 1e9;
  const double seconds = hours * 3600;
  if (hours != 0 && !(seconds >= 1 && hours <= longest))
    throw Error(ErrorKind::configuration, key, ": ", hours, " hours are not between 1 s and ",
                longest, " hours");
  return std::llround(seconds);
}

std::optional<int64_t> index_of(const std::vector<Time>& axis, Time time) {
  const auto found = std::ranges::lower_bound(axis, time);
  if (found == axis.end() || *found != time) return {};
  return found - axis.begin();
}

}  // namespace py4cast
