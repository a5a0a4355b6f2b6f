#include "data/simulation/simulate_titan.h"

#include "engine/error.h"

#if PY4CAST_GRIB

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <vector>

#include "data/grib/grib_grid.h"
#include "data/simulation/free_air.h"
#include "data/titan/titan_parameters.h"
#include "data/weather/calendar.h"
#include "engine/files.h"

namespace py4cast {
namespace {

constexpr DateTime first_hours[] = {{2023, 1, 1, 6}, {2023, 6, 1}, {2023, 9, 1}};
constexpr int pressures[] = {1000, 950, 925, 900, 850, 800, 750, 700, 650, 600, 550, 500,
                             450,  400, 350, 300, 275, 250, 225, 200, 175, 150, 125, 100};
constexpr int bits_per_value = 16;
constexpr GribHandle::Sample sample = {"regular_ll_sfc_grib2"};

// A point of the finest grid.
struct Column {
  SimulatedWeather::Point air;
  float orography, land;
};

// height: of the level above the sea [m]; 0 at the ground.
using FieldValue = float (*)(const Column& at, float height);

float rain_share(const Column& at) {
  return std::clamp((at.air.t2m - 273.15f) / 2 + 0.5f, 0.0f, 1.0f);
}
// The part of the cloud that is not rain, liquid above -10 degrees [kg kg-1].
float cloud(const Column& at, float height) {
  return 0.1f * std::max(at.air.relative_humidity - 0.5f, 0.0f) * FreeAir::humidity(at.air, height);
}
float is_liquid(const Column& at, float height) {
  return FreeAir::temperature(at.air, height) > 263.15f ? 1.0f : 0.0f;
}

const std::map<std::string, FieldValue> field_values = {
    {"h", [](const Column& at, float) { return at.orography; }},
    {"u10", [](const Column& at, float) { return at.air.u10; }},
    {"v10", [](const Column& at, float) { return at.air.v10; }},
    {"t2m", [](const Column& at, float) { return at.air.t2m; }},
    {"r2", [](const Column& at, float) { return 100 * at.air.relative_humidity; }},
    {"sd",
     [](const Column& at, float) { return 4 * at.land * std::max(273.15f - at.air.t2m, 0.0f); }},
    {"ugust", [](const Column& at, float) { return FreeAir::gust_factor(at.land) * at.air.u10; }},
    {"vgust", [](const Column& at, float) { return FreeAir::gust_factor(at.land) * at.air.v10; }},
    {"tp", [](const Column& at, float) { return at.air.rain; }},
    {"tirf", [](const Column& at, float) { return rain_share(at) * at.air.rain; }},
    {"sprate", [](const Column& at, float) { return (1 - rain_share(at)) * at.air.rain / 3600; }},
    {"z",
     [](const Column& at, float height) {
       return static_cast<float>(SimulatedClimate::gravity) * (height + at.air.z - 1000);
     }},
    {"t", [](const Column& at, float height) { return FreeAir::temperature(at.air, height); }},
    {"u", [](const Column& at, float height) { return at.air.u10 * FreeAir::wind_factor(height); }},
    {"v", [](const Column& at, float height) { return at.air.v10 * FreeAir::wind_factor(height); }},
    {"wz", [](const Column& at, float) { return 0.1f * (at.air.relative_humidity - 0.5f); }},
    {"r", [](const Column& at,
             float height) { return 100 * at.air.relative_humidity * std::exp(-height / 8000); }},
    {"clwc", [](const Column& at, float z) { return is_liquid(at, z) * cloud(at, z); }},
    {"ciwc", [](const Column& at, float z) { return (1 - is_liquid(at, z)) * cloud(at, z); }},
    {"crwc", [](const Column& at, float z) { return 0.1f * is_liquid(at, z) * cloud(at, z); }},
    {"cswc",
     [](const Column& at, float z) { return 0.1f * (1 - is_liquid(at, z)) * cloud(at, z); }},
    {"prmsl", [](const Column& at, float) { return 101325 + 11.8f * (at.air.z - 1000); }},
    {"tciwv", [](const Column& at, float) { return 3000 * at.air.q; }},
    {"str",
     [](const Column& at, float) { return -3600 * 90 * (1 - 0.6f * at.air.relative_humidity); }},
    {"ssr", [](const Column& at, float) { return at.air.sunshine * FreeAir::absorbed(at.land); }}};

// One of the original's grids with fewer points, and where its points lie on the finest one.
struct TreeGrid {
  Grid grid;
  std::vector<double> row, column;  // of each row and column
};

constexpr double north = 55.4, south = 37.5, west = -12, east = 16;

std::vector<double> steps(double first, double last, double step) {
  const auto count = static_cast<int64_t>(std::floor(std::abs(last - first) / step + 1e-6)) + 1;
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(first + std::copysign(static_cast<double>(i) * step, last - first));
  return values;
}

TreeGrid make_tree_grid(int64_t finest, const std::string& name) {
  const auto intervals = static_cast<double>(finest - 1);
  const bool wide = name == "PA_01D";
  // Both of AROME's grids end at the same points.
  const double longer =
      wide ? 10 : (name == "PAAROME_1S40" ? intervals / std::round(intervals / 2.5) : 1);
  const double down = (north - south) / intervals, across = (east - west) / intervals;
  const std::vector<double> latitude = steps(wide ? 72 : north, wide ? 20 : south, longer * down),
                            longitude = steps(wide ? -32 : west, wide ? 42 : east, longer * across);
  TreeGrid result;
  result.grid.rows = std::ssize(latitude);
  result.grid.columns = std::ssize(longitude);
  for (const double y : latitude) {
    result.row.push_back(std::clamp((north - y) / down, 0.0, intervals));
    for (const double x : longitude) {
      result.grid.latitude.push_back(y);
      result.grid.longitude.push_back(x);
    }
  }
  for (const double x : longitude)
    result.column.push_back(std::clamp((x - west) / across, 0.0, intervals));
  return result;
}

class TitanWriter {
 public:
  explicit TitanWriter(const TitanSimulation& settings)
      : settings_(settings), domain_(settings.grid) {
    for (const char* name : {"PAAROME_1S100", "PAAROME_1S40", "PA_01D"})
      grids_.emplace(name, make_tree_grid(settings.grid, name));
  }

  void write() {
    if (std::filesystem::exists(settings_.root + "/grib"))
      throw Error(ErrorKind::input_output, settings_.root,
                  ": has a tree already; take another --out");
    const Time first = to_time(Calendar::standard, first_hours[0]);
    for (const DateTime& hour : first_hours) write_period(to_time(Calendar::standard, hour), first);
  }

 private:
  void write_period(Time begin, Time first) {
    const Time start = begin - 3600 * settings_.spin_up_hours;
    SimulatedWeather weather(domain_, settings_.seed, start, 1800,
                             static_cast<double>(start - first));
    while (weather.time() < begin) weather.advance();
    weather.reset_sums();
    look(weather);
    if (begin == first) write_constants(begin);
    for (int64_t hour = 0; hour < settings_.hours; ++hour) {
      const Time time = weather.time();
      const std::string folder = settings_.root + "/grib/" + titan_folder(time) + "/";
      make_folders(folder);
      write_files(folder, time, false);
      while (weather.time() < time + 3600) weather.advance();
      look(weather);
      write_files(folder, time, true);
      weather.reset_sums();
      ++done_;
      if (settings_.progress) settings_.progress(done_, std::ssize(first_hours) * settings_.hours);
    }
  }

  void look(const SimulatedWeather& weather) {
    columns_.clear();
    for (int64_t row = 0; row < settings_.grid; ++row)
      for (int64_t column = 0; column < settings_.grid; ++column) {
        const size_t k = weather.index(row, column);
        columns_.push_back({weather.point(row, column), weather.climate().orography()[k],
                            weather.climate().land()[k]});
      }
  }

  void write_constants(Time time) {
    for (const char* name : {"PAAROME_1S100", "PAAROME_1S40"}) {
      GribHandle handle(sample);
      begin(handle, name, time);
      handle.set("typeOfLevel", "surface");
      handle.set("shortName", "h");
      make_folders(settings_.root);
      write_file(settings_.root + "/conf_" + name + ".grib", message(handle, name, "h", 0));
    }
  }

  // Of the hour that begins at `time`, or sums over it.
  void write_files(const std::string& folder, Time time, bool sums) const {
    std::map<std::string, std::string> files;
    for (const TitanParameter& parameter : titan_parameters())
      if (parameter.next_hour == sums && grids_.contains(parameter.grid))
        files[parameter.file] += messages(parameter, time);
    for (const auto& [name, bytes] : files) write_file(folder + name, bytes);
  }

  std::string messages(const TitanParameter& parameter, Time time) const {
    GribHandle handle(sample);
    begin(handle, parameter.grid, time);
    // Gusts (at 10 m) are those of the end of the hour, all else is a sum over it.
    const bool sum = parameter.next_hour && parameter.level == 0;
    if (sum) handle.set_integer("productDefinitionTemplateNumber", 8);
    int64_t codes[3];
    std::sscanf(parameter.code.c_str(), "%ld_%ld_%ld", &codes[0], &codes[1], &codes[2]);
    handle.set_integer("discipline", codes[0]);
    handle.set_integer("parameterCategory", codes[1]);
    handle.set_integer("parameterNumber", codes[2]);
    handle.set("typeOfLevel", parameter.level_type);
    if (sum) handle.set_integer("typeOfStatisticalProcessing", 1);
    if (parameter.next_hour) handle.set("stepRange", sum ? "0-1" : "1");
    if (!parameter.on_pressure) {
      if (parameter.level > 0) handle.set_integer("level", parameter.level);
      return message(handle, parameter.grid, parameter.field, 0);
    }
    std::string all;
    for (const int pressure : pressures) {
      handle.set_integer("level", pressure);
      const auto height = static_cast<float>(7500 * std::log(1013.25 / pressure));
      all += message(handle, parameter.grid, parameter.field, height);
    }
    return all;
  }

  // A message of Météo-France's.
  void begin(GribHandle& handle, const std::string& grid, Time time) const {
    const DateTime date = to_date(Calendar::standard, time);
    handle.set("centre", "lfpw");
    handle.set_integer("dataDate", 10000 * date.year + 100 * date.month + date.day);
    handle.set_integer("dataTime", 100 * date.hour);
    handle.set_integer("bitsPerValue", bits_per_value);
    set_grib_grid(handle, grids_.at(grid).grid);
  }

  // The handle with the values of a field.
  std::string message(GribHandle& handle, const std::string& grid, const std::string& field,
                      float height) const {
    const TreeGrid& place = grids_.at(grid);
    const FieldValue value = field_values.at(field);
    std::vector<double> values;
    for (const double row : place.row)
      for (const double column : place.column)
        values.push_back(interpolated(value, height, row, column));
    handle.set_numbers("values", values);
    return handle.message();
  }

  double interpolated(FieldValue value, float height, double row, double column) const {
    const auto lower = [&](double at) {
      return std::min(static_cast<int64_t>(at), settings_.grid - 2);
    };
    const int64_t i = lower(row), j = lower(column);
    const double down = row - static_cast<double>(i), across = column - static_cast<double>(j);
    const auto at = [&](int64_t k, int64_t l) {
      return static_cast<double>(
          value(columns_[static_cast<size_t>(k * settings_.grid + l)], height));
    };
    return (1 - down) * ((1 - across) * at(i, j) + across * at(i, j + 1)) +
           down * ((1 - across) * at(i + 1, j) + across * at(i + 1, j + 1));
  }

  const TitanSimulation& settings_;
  const SimulatedDomain domain_;
  std::map<std::string, TreeGrid> grids_;
  std::vector<Column> columns_;  // of the finest grid, from the north-west
  int64_t done_ = 0;
};

}  // namespace

void simulate_titan(const TitanSimulation& settings) {
  if (settings.grid < 16 || settings.hours < 1)
    throw Error(ErrorKind::configuration, "simulate: ", settings.hours, " hours on ", settings.grid,
                " x ", settings.grid, " points: one hour and 16 points are the least");
  TitanWriter(settings).write();
}

}  // namespace py4cast

#else

namespace py4cast {

void simulate_titan(const TitanSimulation&) {
  throw Error(ErrorKind::configuration,
              "simulate: the layout 'titan' needs ecCodes, and this program was built without it "
              "(PY4CAST_GRIB=OFF)");
}

}  // namespace py4cast

#endif
