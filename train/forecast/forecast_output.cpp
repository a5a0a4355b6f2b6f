#include "train/forecast/forecast_output.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <numbers>
#include <sstream>

#include "data/weather/calendar.h"
#include "data/weather/data_files.h"
#include "data/weather/missing_points.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

// Of the angle between two places on the sphere, the square of half its chord.
double distance(const Place& a, const Place& b) {
  constexpr double degree = std::numbers::pi / 180;
  const double dy = std::sin((b.latitude - a.latitude) * degree / 2),
               dx = std::sin((b.longitude - a.longitude) * degree / 2);
  return dy * dy + std::cos(a.latitude * degree) * std::cos(b.latitude * degree) * dx * dx;
}

Place point_place(const Grid& grid, int64_t point) {
  const auto i = static_cast<size_t>(point);
  return {grid.latitude[i], grid.longitude[i]};
}

std::string in_degrees(double value, const char* positive, const char* negative) {
  while (value > 180) value -= 360;
  char text[32];
  std::snprintf(text, sizeof text, "%.3f %s", std::abs(value), value < 0 ? negative : positive);
  return text;
}
std::string words_for(const Place& place) {
  return in_degrees(place.latitude, "N", "S") + ", " + in_degrees(place.longitude, "E", "W");
}

// Aligned to the right, the first one to the left.
std::string text_of_rows(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - row[i].size(), ' ');
      text += i == 0 ? row[i] + blanks : "  " + blanks + row[i];
    }
    text += '\n';
  }
  return text;
}

std::string column_name(const ForecastFile& forecast, const ForecastField& field, size_t member,
                        size_t level) {
  std::ostringstream name;
  name << field.info.name;
  if (!field.info.levels.empty()) name << '_' << field.info.levels[level];
  if (!forecast.members.empty()) name << " #" << forecast.members[member];
  if (!field.info.units.empty()) name << " [" << field.info.units << ']';
  return name.str();
}

}  // namespace

std::vector<ForecastField> physical_fields(const FieldStore& store,
                                           const std::vector<std::vector<Tensor>>& predictions) {
  const DatasetInfo& info = store.info();
  std::vector<ForecastField> fields;
  const auto points = static_cast<size_t>(info.rows * info.columns);
  const size_t features = info.state.size(), times = predictions.at(0).size();
  std::vector<std::vector<bool>> without_value;
  for (const FeatureStatistics& s : info.state_statistics)
    without_value.push_back(points_without_value(s, info.rows * info.columns));
  const auto append = [&](std::vector<float>& data, const float* values, size_t f) {
    const std::vector<bool>& never = without_value[f];
    const double mean = info.offset(info.state_statistics[f]),
                 std = info.scale(info.state_statistics[f]);
    for (size_t p = 0; p < points; ++p)
      data.push_back(
          !never.empty() && never[p]
              ? std::numeric_limits<float>::quiet_NaN()
              : static_cast<float>(static_cast<double>(values[p * features + f]) * std + mean));
  };
  for (size_t first = 0; first < features;) {
    size_t end = first;
    while (end < features && info.state[end].variable == info.state[first].variable) ++end;
    const Feature& feature = info.state[first];
    ForecastField field;
    field.info = {.name = feature.variable,
                  .units = feature.units,
                  .long_name = feature.long_name,
                  .standard_name = feature.standard_name,
                  .cell_methods = feature.cell_methods};
    if (!feature.level_name.empty()) {
      field.info.level_name = feature.level_name;
      field.info.level_units = feature.level_units;
      field.info.level_standard_name = feature.level_standard_name;
      field.info.level_positive = feature.level_positive;
      field.info.only_level = feature.only_level;
      for (size_t f = first; f < end && !feature.only_level; ++f)
        field.info.levels.push_back(info.state[f].level);
    }
    for (size_t time = 0; time < times; ++time)
      for (const std::vector<Tensor>& member : predictions)
        for (size_t f = first; f < end; ++f) append(field.data, member.at(time).data<float>(), f);
    fields.push_back(std::move(field));
    first = end;
  }
  return fields;
}

void check_output(const std::string& out, const DatasetSettings& dataset, bool overwrite) {
  namespace fs = std::filesystem;
  check_output(out, true);
  if (!fs::exists(out)) return;
  std::vector<std::string> files = dataset.files;
  for (const Texts* more : {&dataset.boundary.files, &dataset.static_files})
    files.insert(files.end(), more->begin(), more->end());
  for (const std::string& file : files.empty() ? files : expand_patterns(files))
    if (fs::equivalent(file, out))
      throw Error(ErrorKind::input_output, out,
                  ": is one of the files that the forecast starts from");
  check_output(out, overwrite);
}

std::vector<Place> parse_places(const std::string& text) {
  std::vector<Place> places;
  std::istringstream list(text);
  for (std::string word; std::getline(list, word, ';');) {
    std::istringstream numbers(word);
    Place place;
    char comma = 0;
    if (!(numbers >> place.latitude >> comma >> place.longitude) || comma != ',' ||
        !(numbers >> std::ws).eof() || std::abs(place.latitude) > 90 ||
        std::abs(place.longitude) > 360)
      throw Error(ErrorKind::configuration, "command line: '--points ", text, "': '", word,
                  "' is no LATITUDE,LONGITUDE in degrees");
    places.push_back(place);
  }
  if (places.empty())
    throw Error(ErrorKind::configuration,
                "command line: '--points' needs LATITUDE,LONGITUDE[;LATITUDE,LONGITUDE ...]");
  return places;
}

int64_t nearest_point(const Grid& grid, const Place& place) {
  int64_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t point = 0; point < grid.rows * grid.columns; ++point)
    if (const double d = distance(place, point_place(grid, point)); d < least) {
      least = d;
      best = point;
    }
  double spacing = 0;  // to the neighbours of that point
  const int64_t row = best / grid.columns, column = best % grid.columns;
  const auto look_at = [&](int64_t r, int64_t c) {
    if (r >= 0 && r < grid.rows && c >= 0 && c < grid.columns)
      spacing = std::max(
          spacing, distance(point_place(grid, best), point_place(grid, r * grid.columns + c)));
  };
  for (const int64_t step : {-1, 1}) {
    look_at(row + step, column);
    look_at(row, column + step);
  }
  if (least > spacing)
    throw Error(ErrorKind::configuration, words_for(place),
                " lies outside of the grid; its nearest point is ",
                words_for(point_place(grid, best)));
  return best;
}

std::string point_table(const ForecastFile& forecast, const Place& place) {
  const Grid& grid = forecast.grid;
  const int64_t point = nearest_point(grid, place);
  std::vector<std::vector<std::string>> rows = {{"time"}};
  for (const Time time : forecast.times) rows.push_back({format_time(forecast.calendar, time)});
  const auto plane = static_cast<size_t>(grid.rows * grid.columns);
  const size_t members = forecast.planes();
  for (const ForecastField& field : forecast.fields) {
    const size_t levels = std::max<size_t>(field.info.levels.size(), 1);
    for (size_t member = 0; member < members; ++member)
      for (size_t level = 0; level < levels; ++level) {
        rows[0].push_back(column_name(forecast, field, member, level));
        for (size_t time = 0; time < forecast.times.size(); ++time) {
          const size_t index = ((time * members + member) * levels + level) * plane;
          const float value = field.data[index + static_cast<size_t>(point)];
          char number[32];
          std::snprintf(number, sizeof number, "%.6g", static_cast<double>(value));
          rows[time + 1].push_back(std::isnan(value) ? "nan" : number);  // else perhaps "-nan"
        }
      }
  }
  return words_for(place) + ": the nearest point is " + words_for(point_place(grid, point)) +
         " (row " + std::to_string(point / grid.columns) + ", column " +
         std::to_string(point % grid.columns) + ")\n" + text_of_rows(rows);
}

}  // namespace py4cast
