#include "data/cf/cf_forecast.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

using Type = CfWriter::Type;

Region whole(const Grid& grid, const Region& region) {
  if (region.rows() > 0 && region.columns() > 0) return region;
  return {0, grid.rows, 0, grid.columns};
}

// Values of a coordinate over the region.
std::vector<double> cut_to(const Grid& grid, const Region& region,
                           const std::vector<double>& values) {
  std::vector<double> result;
  for (int64_t row = region.row_begin; row < region.row_end; ++row)
    for (int64_t column = region.column_begin; column < region.column_end; ++column)
      result.push_back(values.at(static_cast<size_t>(row * grid.columns + column)));
  return result;
}

std::vector<double> first_column(const std::vector<double>& values, size_t columns) {
  std::vector<double> result;
  for (size_t i = 0; i < values.size(); i += columns) result.push_back(values[i]);
  return result;
}

int coordinate(CfWriter& writer, const std::string& name, const std::vector<int>& dimensions,
               const std::string& standard_name, const std::string& units,
               const std::string& axis) {
  const int id = writer.variable(name, Type::float64, dimensions);
  writer.attribute(id, "standard_name", standard_name);
  writer.attribute(id, "units", units);
  writer.attribute(id, "axis", axis);
  return id;
}

// Axes in metres or in degrees of a rotated pole; mere indices are not written.
void write_plane_axis(CfWriter& writer, const Grid& grid, const std::string& name, int dimension,
                      const std::vector<double>& values, bool is_y) {
  if (grid.axis_units == "1" || values.empty()) return;
  const std::string direction = is_y ? "y" : "x";
  const std::string standard = grid.axis_units == "m"
                                   ? "projection_" + direction + "_coordinate"
                                   : std::string(is_y ? "grid_latitude" : "grid_longitude");
  const int id = coordinate(writer, name, {dimension}, standard, grid.axis_units, is_y ? "Y" : "X");
  writer.write(id, {0}, {values.size()}, values.data());
}

// Behind the words that are there.
void add_word(std::string& words, const std::string& word) {
  words += (words.empty() || word.empty() ? "" : " ") + word;
}

std::string write_mapping(CfWriter& writer, const GridMapping& mapping) {
  if (mapping.name.empty()) return "";
  const int id = writer.variable(mapping.name, Type::int32, {});
  for (const auto& [name, text] : mapping.texts) writer.attribute(id, name, text);
  for (const auto& [name, numbers] : mapping.numbers)
    if (!name.starts_with('_')) writer.attribute(id, name, numbers);  // of its own value
  const double value = 0;                                             // without a meaning
  writer.write(id, {}, {}, &value);
  return mapping.name;
}

class ForecastWriter {
 public:
  ForecastWriter(const std::string& path, const ForecastFile& forecast)
      : forecast_(forecast), region_(whole(forecast.grid, forecast.region)), path_(path) {
    check();
  }

  void write(CfWriter& writer) {
    writer.attribute(CfWriter::global, "Conventions", "CF-1.8");
    for (const auto& [name, text] : forecast_.attributes)
      writer.attribute(CfWriter::global, name, text);
    write_times(writer);
    grid_ = write_grid(writer, forecast_.grid, region_);
    if (!forecast_.members.empty()) write_members(writer);
    for (const ForecastField& field : forecast_.fields) write_field(writer, field);
  }

 private:
  size_t plane() const { return static_cast<size_t>(region_.rows() * region_.columns()); }
  static size_t levels(const ForecastField& field) {
    return std::max<size_t>(field.info.levels.size(), 1);
  }

  void check() const {
    for (const ForecastField& field : forecast_.fields) {
      const size_t times = field.info.has_time ? forecast_.times.size() : 1;
      const size_t members = field.info.has_time ? forecast_.planes() : 1;
      const size_t expected = times * members * levels(field) * plane();
      if (field.data.size() != expected)
        throw Error(ErrorKind::shape, path_, ": variable '", field.info.name, "' has ",
                    field.data.size(), " values, but ", times, " times, ", members, " members, ",
                    levels(field), " levels and ", region_.rows(), " x ", region_.columns(),
                    " points need ", expected);
    }
  }

  void write_times(CfWriter& writer) {
    const std::vector<Time>& times = forecast_.times;
    if (times.empty()) return;
    const Time epoch = forecast_.reference_time.value_or(times[0]);
    const bool hours =
        std::all_of(times.begin(), times.end(), [&](Time t) { return (t - epoch) % 3600 == 0; });
    const double unit = hours ? 3600 : 1;
    std::string text = format_time(forecast_.calendar, epoch);
    text[text.find('T')] = ' ';
    const std::string unit_name = hours ? "hours" : "seconds";
    std::vector<double> values, leads;
    for (Time t : times) values.push_back(static_cast<double>(t - epoch) / unit);
    time_ = writer.dimension("time", times.size());
    // CF-1.8 has no int64.
    const bool fits = std::abs(values.back()) < 2e9;
    const Type type = fits ? Type::int32 : Type::float64;
    const auto time_variable = [&](const std::string& name, const std::vector<int>& dimensions,
                                   const std::string& standard_name) {
      const int id = writer.variable(name, type, dimensions);
      writer.attribute(id, "standard_name", standard_name);
      writer.attribute(id, "units", unit_name + " since " + text);
      writer.attribute(id, "calendar", calendar_name(forecast_.calendar));
      return id;
    };
    const int id = time_variable("time", {time_}, "time");
    writer.attribute(id, "axis", "T");
    writer.write(id, {0}, {values.size()}, values.data());
    if (!forecast_.reference_time) return;
    const double zero = 0;
    writer.write(time_variable("forecast_reference_time", {}, "forecast_reference_time"), {}, {},
                 &zero);
    const int period = writer.variable("forecast_period", type, {time_});
    writer.attribute(period, "standard_name", "forecast_period");
    writer.attribute(period, "units", unit_name);
    writer.write(period, {0}, {values.size()}, values.data());
    time_coordinates_ = "forecast_reference_time forecast_period";
  }

  // A single member is a scalar coordinate.
  void write_members(CfWriter& writer) {
    const std::vector<double> numbers(forecast_.members.begin(), forecast_.members.end());
    std::vector<int> dimensions;
    std::vector<size_t> start, count;
    if (numbers.size() > 1) {
      member_ = writer.dimension("realization", numbers.size());
      dimensions = {member_};
      start = {0};
      count = {numbers.size()};
    } else {
      add_word(time_coordinates_, "realization");
    }
    const int id = writer.variable("realization", Type::int32, dimensions);
    writer.attribute(id, "standard_name", "realization");
    writer.attribute(id, "units", "1");
    if (numbers.size() > 1) writer.attribute(id, "axis", "E");
    writer.write(id, start, count, numbers.data());
  }

  struct LevelAxis {
    const VariableInfo* info;
    std::string name;
    int dimension;  // not of a scalar coordinate: the only level
  };

  // Fields with the same levels share it.
  const LevelAxis& level_axis(CfWriter& writer, const VariableInfo& info) {
    for (const LevelAxis& axis : level_axes_)
      if (axis.info->level_name == info.level_name && axis.info->levels == info.levels &&
          axis.info->only_level == info.only_level && axis.info->level_units == info.level_units &&
          axis.info->level_positive == info.level_positive)
        return axis;
    const std::string stem = info.level_name.empty() ? "level" : info.level_name;
    std::string name = stem;
    const auto taken = [&] {
      return std::find(names_.begin(), names_.end(), name) != names_.end();
    };
    for (int n = 2; taken(); ++n) name = stem + "_" + std::to_string(n);
    names_.push_back(name);
    LevelAxis axis{&info, name, -1};
    std::vector<int> dimensions;
    std::vector<size_t> start, count;
    if (!info.only_level) {
      axis.dimension = writer.dimension(name, info.levels.size());
      dimensions = {axis.dimension};
      start = {0};
      count = {info.levels.size()};
    }
    const int id =
        coordinate(writer, name, dimensions, info.level_standard_name, info.level_units, "Z");
    writer.attribute(id, "positive", info.level_positive);
    writer.write(id, start, count, info.known_levels().data());
    level_axes_.push_back(axis);
    return level_axes_.back();
  }

  void write_field(CfWriter& writer, const ForecastField& field) {
    const VariableInfo& info = field.info;
    std::vector<int> dimensions;
    std::vector<size_t> start, count;
    const auto add = [&](int dimension, size_t length) {
      dimensions.push_back(dimension);
      start.push_back(0);
      count.push_back(length);
    };
    if (info.has_time) add(time_, forecast_.times.size());
    if (info.has_time && forecast_.members.size() > 1) add(member_, forecast_.members.size());
    if (!info.levels.empty()) add(level_axis(writer, info).dimension, info.levels.size());
    add(grid_.y, static_cast<size_t>(region_.rows()));
    add(grid_.x, static_cast<size_t>(region_.columns()));
    std::vector<size_t> chunk(count.size(), 1);
    std::copy(count.end() - 2, count.end(), chunk.end() - 2);
    const int id = writer.variable(info.name, Type::float32, dimensions, chunk);
    writer.attribute(id, "_FillValue", missing_value, Type::float32);
    writer.attribute(id, "units", info.units);
    writer.attribute(id, "long_name", info.long_name);
    writer.attribute(id, "standard_name", info.standard_name);
    writer.attribute(id, "cell_methods", info.cell_methods);
    std::string coordinates = info.has_time ? time_coordinates_ : "";
    if (info.only_level) add_word(coordinates, level_axis(writer, info).name);
    add_word(coordinates, grid_.coordinates);
    writer.attribute(id, "coordinates", coordinates);
    writer.attribute(id, "grid_mapping", grid_.mapping);
    std::vector<float> values = field.data;
    for (float& value : values)
      if (std::isnan(value)) value = missing_value;
    writer.write(id, start, count, values.data());
  }

  const ForecastFile& forecast_;
  const Region region_;
  const std::string path_;
  GridIds grid_;
  int time_ = 0, member_ = 0;
  std::string time_coordinates_;
  std::vector<LevelAxis> level_axes_;
  std::vector<std::string> names_ = {"time", "realization", "latitude", "longitude"};
};

}  // namespace

GridIds write_grid(CfWriter& writer, const Grid& grid, const Region& wanted) {
  const Region region = whole(grid, wanted);
  const size_t rows = static_cast<size_t>(region.rows()),
               columns = static_cast<size_t>(region.columns());
  const std::vector<double> latitude = cut_to(grid, region, grid.latitude),
                            longitude = cut_to(grid, region, grid.longitude);
  if (grid.separable) {
    GridIds ids = {writer.dimension("latitude", rows), writer.dimension("longitude", columns), "",
                   write_mapping(writer, grid.mapping)};
    const int lat = coordinate(writer, "latitude", {ids.y}, "latitude", "degrees_north", "Y");
    writer.write(lat, {0}, {rows}, first_column(latitude, columns).data());
    const int lon = coordinate(writer, "longitude", {ids.x}, "longitude", "degrees_east", "X");
    writer.write(lon, {0}, {columns}, longitude.data());
    return ids;
  }
  // The names of the file, unless the coordinates themselves need them.
  const bool clash = grid.y_name.empty() || grid.x_name.empty() || grid.y_name == "latitude" ||
                     grid.x_name == "longitude";
  const std::string y_name = clash ? "y" : grid.y_name, x_name = clash ? "x" : grid.x_name;
  GridIds ids = {writer.dimension(y_name, rows), writer.dimension(x_name, columns),
                 "latitude longitude", write_mapping(writer, grid.mapping)};
  if (!grid.y.empty() && !grid.x.empty()) {
    write_plane_axis(writer, grid, y_name, ids.y,
                     first_column(cut_to(grid, region, grid.y), columns), true);
    std::vector<double> x = cut_to(grid, region, grid.x);
    x.resize(columns);
    write_plane_axis(writer, grid, x_name, ids.x, x, false);
  }
  const int lat = coordinate(writer, "latitude", {ids.y, ids.x}, "latitude", "degrees_north", "");
  writer.write(lat, {0, 0}, {rows, columns}, latitude.data());
  const int lon = coordinate(writer, "longitude", {ids.y, ids.x}, "longitude", "degrees_east", "");
  writer.write(lon, {0, 0}, {rows, columns}, longitude.data());
  return ids;
}

void write_forecast(CfWriter& writer, const std::string& path, const ForecastFile& forecast) {
  ForecastWriter(path, forecast).write(writer);
}

}  // namespace py4cast
