// Statistics of a FieldStore: given, from the cache folder, or computed.
#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <sstream>

#include "data/weather/calendar.h"
#include "data/weather/field_store.h"
#include "data/weather/hidden_fills.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

// In the order of the features.
Statistics in_order(const std::vector<Feature>& features, const Statistics& all) {
  Statistics result;
  for (const Feature& feature : features) {
    const auto found = std::ranges::find(all, feature.name, &FeatureStatistics::name);
    if (found == all.end())
      throw Error(ErrorKind::data, "the given statistics have no feature '", feature.name, "'");
    result.push_back(*found);
  }
  return result;
}

void check_statistics(const Feature& feature, const FeatureStatistics& s, bool state,
                      const std::string& limits_note) {
  if (!(s.minimum <= s.maximum))
    throw Error(ErrorKind::data, "variable '", feature.variable, "' (feature '", feature.name,
                "') has no value", limits_note, " in the training period");
  if (!std::isfinite(s.minimum) || !std::isfinite(s.maximum))
    throw Error(ErrorKind::data, "variable '", feature.variable, "' (feature '", feature.name,
                "') has a value that is infinite in the training period");
  if (s.minimum == s.maximum || !(s.std > 0))
    throw Error(ErrorKind::data, "variable '", feature.variable, "' (feature '", feature.name,
                "') is ", s.minimum,
                " everywhere in the training period: its standard deviation "
                "is 0, so it cannot be standardised; leave it out");
  if (state && !(s.difference_std > 0))
    throw Error(ErrorKind::data, "variable '", feature.variable, "' (feature '", feature.name,
                "') changes by the same amount everywhere from each time to the next (",
                s.difference_mean * s.std, "): the standard deviation of its changes is 0; ",
                "if it is constant in time, give it the role 'static'");
}

}  // namespace

std::string FieldStore::made_from(const std::vector<Moment>& moments) const {
  std::ostringstream text, times;
  for (const Moment& moment : moments) times << time(moment) << "\n";
  text << source_->fingerprint() << "\nregion " << region_.row_begin << " " << region_.row_end
       << " " << region_.column_begin << " " << region_.column_end << "\nstep "
       << info_.step_seconds << "\nfields " << moments.size() << " " << fingerprint(times.str());
  text << "\nmembers";
  for (const int64_t member : members_) text << " " << member;
  text << "\nmissing " << (settings_.missing == Missing::mask);
  if (boundary_) text << "\nboundary " << boundary_->fingerprint();
  for (const auto* features : {&info_.state, &info_.physical_forcing, &info_.boundary})
    for (const Feature& feature : *features)
      text << "\n" << feature.name << " = " << feature.variable << " " << feature.level;
  return text.str();
}

void FieldStore::set_statistics(const std::optional<Statistics>& given) {
  std::vector<Feature> features = info_.state;
  features.insert(features.end(), info_.physical_forcing.begin(), info_.physical_forcing.end());
  features.insert(features.end(), info_.boundary.begin(), info_.boundary.end());
  Statistics all;
  if (given) {
    all = in_order(features, *given);
    compare_with(features, all);
  } else {
    const std::vector<Moment>& fields = moments(Split::train);
    const StatisticsCache cache(settings_.cache_folder, made_from(fields));
    if (!cache.load(all, notes_)) {
      all = compute(features, fields);
      cache.save(all, notes_);
    }
    all = in_order(features, all);
  }
  const size_t own = own_features();
  for (size_t i = 0; i < features.size(); ++i) {
    check_statistics(
        features[i], all[i], i < info_.state.size(),
        i < own ? source_->variable(features[i].variable).limits_note() : std::string());
    untrained_.push_back(points_without_value(all[i], grid_.rows * grid_.columns));
  }
  for (size_t i = 0; i < own && !given; ++i)
    look_for_fills(features[i], static_cast<int64_t>(i), all[i]);
  const auto states = all.begin() + static_cast<int64_t>(info_.state.size());
  info_.state_statistics.assign(all.begin(), states);
  info_.forcing_statistics.assign(states, all.end());
}

// Reads fields until one has the extreme value.
void FieldStore::look_for_fills(const Feature& feature, int64_t plane,
                                const FeatureStatistics& statistics) {
  for (const double fill : {statistics.minimum, statistics.maximum}) {
    if (!is_usual_fill(fill)) continue;
    FillSearch search(fill);
    std::vector<float> field(static_cast<size_t>(grid_.rows * grid_.columns));
    std::optional<Moment> first;
    for (const Moment& moment : moments(Split::train)) {
      read_physical(feature, plane, moment, field.data());
      search.add(field);
      if (search.found() && !first) first = moment;
      if (search.done()) break;
    }
    if (!search.apart()) continue;
    std::ostringstream text;
    text << source_->file_of(request(feature, *first)) << ": variable '" << feature.variable
         << "' has the value " << fill << " at " << format_time(info_.calendar, time(*first))
         << ", far from its others (" << search.low() << " ... " << search.high()
         << "): if it stands for missing values, say so in the file (attribute _FillValue)";
    warnings_.push_back(text.str());
  }
}

// Looks at one moment in the middle of the data.
void FieldStore::compare_with(const std::vector<Feature>& features, const Statistics& given) {
  constexpr double far = 5, other_scale = 20;
  const auto runs = static_cast<int64_t>(times().runs.size());
  for (int64_t k = 0; k < runs; ++k) {
    const Moment moment{(runs / 2 + k) % runs, 0, members_.front()};
    if (!input_exists(moment)) continue;
    for (size_t f = 0; f < features.size(); ++f) {
      const FeatureStatistics now =
          compute_statistics(features[f].name, 1, grid_.rows * grid_.columns, {-1},
                             [&](int64_t, float* out) { read_any(features, f, moment, out); });
      const FeatureStatistics& then = given[f];
      if (now.minimum > now.maximum) continue;
      if (std::abs(now.mean - then.mean) <= far * then.std && now.std <= other_scale * then.std)
        continue;
      std::ostringstream text;
      text << (f < own_features() ? source_->file_of(request(features[f], moment))
                                  : boundary_->file())
           << ": variable '" << features[f].variable << "' at "
           << format_time(info_.calendar, time(moment)) << " has the mean " << now.mean
           << " and the deviation " << now.std << ", the training had " << then.mean << " and "
           << then.std << ": are these the same quantity and unit?";
      warnings_.push_back(text.str());
    }
    return;
  }
}

// Of the states, the physical forcings and the boundary data; NaN: missing there.
void FieldStore::read_any(const std::vector<Feature>& features, size_t f, const Moment& moment,
                          float* out) const {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  if (f < own_features() && source_->exists(request(features[f], moment)))
    source_->read(request(features[f], moment), region_, out);
  else if (f >= own_features() && boundary_->exists(time(moment), time(moment), moment.member))
    boundary_->read(f - own_features(), time(moment), time(moment), moment.member, out, nan);
  else
    std::fill_n(out, grid_.rows * grid_.columns, nan);
}

Statistics FieldStore::compute(const std::vector<Feature>& features,
                               const std::vector<Moment>& fields) const {
  std::map<Moment, int64_t> numbers;
  for (const Moment& moment : fields) numbers.emplace(moment, static_cast<int64_t>(numbers.size()));
  std::vector<int64_t> next;
  for (const Moment& moment : fields) {
    const auto later = shifted(moment, 1);
    const auto found = later ? numbers.find(*later) : numbers.end();
    next.push_back(found == numbers.end() ? -1 : found->second);
  }
  const int64_t points = grid_.rows * grid_.columns;
  const size_t own = own_features();
  Statistics result(features.size());
  std::vector<std::exception_ptr> errors(features.size());
#pragma omp parallel for schedule(dynamic)
  for (size_t f = 0; f < features.size(); ++f) {
    try {
      result[f] =
          compute_statistics(features[f].name, static_cast<int64_t>(fields.size()), points, next,
                             [&](int64_t i, float* out) {
                               const Moment& at = fields[static_cast<size_t>(i)];
                               if (f < own)
                                 read_physical(features[f], static_cast<int64_t>(f), at, out);
                               else if (boundary_->exists(time(at), time(at), at.member))
                                 boundary_->read(f - own, time(at), time(at), at.member, out,
                                                 std::numeric_limits<float>::quiet_NaN());
                               else
                                 std::fill_n(out, points, std::numeric_limits<float>::quiet_NaN());
                             });
      if (f >= own) result[f].never.clear();  // the interior is no missing value
    } catch (...) {
      errors[f] = std::current_exception();
    }
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  return result;
}

}  // namespace py4cast
