#include "data/cf/file_coordinates.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "data/cf/axis_role.h"
#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

std::string shown(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

bool is_text_of_time(const CfVariable& v) {
  return v.type == ElementType::text && role_of_name(v.name) == AxisRole::time;
}

}  // namespace

// f(), whose errors name the variable.
template <typename F>
auto FileCoordinates::of_time(const CfVariable& v, F&& f) const {
  try {
    return f();
  } catch (const Error& error) {
    fail("variable '" + v.name + "': " + error.what());
  }
}

FileCoordinates::FileCoordinates(CfFiles& files, const CfMetadata& metadata)
    : files_(files), metadata_(metadata) {}

Calendar FileCoordinates::calendar_of(const CfVariable& v) const {
  return of_time(v, [&] { return parse_calendar(v.text("calendar")); });
}

void FileCoordinates::fail(const std::string& what) const {
  throw Error(ErrorKind::data, metadata_.path, ": ", what);
}

// The first variable along a dimension alone for which a condition holds, or null.
template <typename Condition>
const CfVariable* FileCoordinates::find(const std::string& dimension, Condition condition) const {
  for (const CfVariable& v : metadata_.variables)
    if (v.dimensions.size() == 1 && v.dimensions[0] == dimension && condition(v)) return &v;
  return nullptr;
}

const CfVariable* FileCoordinates::along(const std::string& dimension, AxisRole role) const {
  const CfVariable* own =
      find(dimension, [&](const CfVariable& v) { return v.is_numeric() && v.name == dimension; });
  return own ? own : find(dimension, [&](const CfVariable& v) {
    return v.is_numeric() && role_of_attributes(v) == role;
  });
}

const CfVariable& FileCoordinates::times_along(const std::string& dimension) const {
  const auto counts = [](const CfVariable& v) { return is_time_units(v.text("units")); };
  const auto is_named = [&](const CfVariable& v) { return v.is_numeric() && v.name == dimension; };
  const CfVariable* found =
      find(dimension, [&](const CfVariable& v) { return is_named(v) && counts(v); });
  if (!found)
    found = find(dimension, [&](const CfVariable& v) {
      return counts(v) && role_of_attributes(v) == AxisRole::time;
    });
  if (!found) found = find(dimension, counts);
  if (!found) found = find(dimension, is_text_of_time);
  if (!found) found = find(dimension, is_named);
  if (!found) fail("dimension '" + dimension + "' has no coordinate variable with the times");
  return *found;
}

std::vector<std::string> FileCoordinates::texts_along(const std::string& dimension) const {
  const CfVariable* v = find(dimension, [&](const CfVariable& each) {
    return each.type == ElementType::text && each.name == dimension;
  });
  return v ? files_.read_texts(metadata_.path, *v) : std::vector<std::string>();
}

std::optional<AxisRole> FileCoordinates::role_along(const std::string& dimension) const {
  for (const AxisRole role :
       {AxisRole::time, AxisRole::run, AxisRole::lead, AxisRole::member, AxisRole::level})
    if (find(dimension, [&](const CfVariable& v) { return role_of_attributes(v) == role; }))
      return role;
  return find(dimension, is_text_of_time) ? std::optional(AxisRole::time) : std::nullopt;
}

const std::vector<double>& FileCoordinates::values(const CfVariable& v) const {
  const auto known = values_.find(v.name);
  if (known != values_.end()) return known->second;
  return values_[v.name] = files_.read(metadata_.path, v.as_coordinate());
}

std::vector<double> FileCoordinates::distinct(const CfVariable* v, const std::string& dimension,
                                              size_t length) const {
  if (length > most_numbers)
    fail("dimension '" + dimension + "' has " + std::to_string(length) +
         " levels or members; more than " + std::to_string(most_numbers) + " are refused");
  std::vector<double> result(length);
  std::iota(result.begin(), result.end(), 0.0);
  if (!v) return result;
  result = values(*v);
  std::map<double, size_t> places;
  for (size_t i = 0; i < result.size(); ++i) {
    if (!std::isfinite(result[i]))
      fail("value " + std::to_string(i) + " of variable '" + v->name + "' is missing");
    const auto [first, fresh] = places.emplace(result[i], i);
    if (!fresh)
      fail("variable '" + v->name + "' has the value " + shown(result[i]) + " twice, at " +
           std::to_string(first->second) + " and " + std::to_string(i));
  }
  return result;
}

std::vector<Time> FileCoordinates::times(const CfVariable& v) const {
  if (v.type == ElementType::text) return times_of_texts(v);
  const std::string units = v.text("units");
  if (!is_time_units(units))
    fail("variable '" + v.name + "' has " + (units.empty() ? "no units" : "units '" + units + "'") +
         ", but times need units like 'hours since 1970-01-01'" +
         (units.find("as %Y") == std::string::npos ? ""
                                                   : "; 'cdo -r copy FILE COPY' makes them so"));
  const Calendar calendar = calendar_of(v);
  const TimeUnits decoder = of_time(v, [&] { return TimeUnits(calendar, units); });
  return convert(v, [&](double value) { return decoder.decode(value); });
}

// "2019-01-01_00:00:00"
std::vector<Time> FileCoordinates::times_of_texts(const CfVariable& v) const {
  const Calendar calendar = calendar_of(v);
  std::vector<Time> result;
  for (std::string text : files_.read_texts(metadata_.path, v)) {
    std::ranges::replace(text, '_', 'T');
    result.push_back(of_time(v, [&] { return parse_time(calendar, text).time; }));
  }
  return result;
}

std::vector<Time> FileCoordinates::durations(const CfVariable& v) const {
  const double unit = seconds_per_unit(calendar_of(v), v.text("units"));
  if (unit == 0)
    fail("variable '" + v.name + "' has units '" + v.text("units") +
         "', but lead times need units like 'hours'");
  return convert(v, [&](double value) { return whole_seconds(value * unit); });
}

template <typename Function>
std::vector<Time> FileCoordinates::convert(const CfVariable& v, Function function) const {
  std::vector<Time> result;
  for (double value : values(v)) {
    const std::string place =
        "value " + std::to_string(result.size()) + " of variable '" + v.name + "'";
    if (std::isnan(value)) fail(place + " is missing");
    try {
      result.push_back(function(value));
    } catch (const Error&) {
      fail(place + " is " + shown(value) + " " + v.text("units") + ": that is no time of weather");
    }
  }
  return result;
}

void FileCoordinates::check_rising(const std::string& name, const std::vector<Time>& values,
                                   std::optional<Calendar> calendar) const {
  const auto text = [&](Time t) {
    return calendar ? format_time(*calendar, t) : std::to_string(t) + " s";
  };
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] > values[i - 1]) continue;
    if (values[i] == values[i - 1])
      fail("variable '" + name + "' has the time " + text(values[i]) + " twice, at " +
           std::to_string(i - 1) + " and " + std::to_string(i));
    fail("the times of variable '" + name + "' are not sorted: " + text(values[i]) + " at " +
         std::to_string(i) + " follows " + text(values[i - 1]));
  }
}

}  // namespace py4cast
