#include "data/simulation/simulate_smeagol.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "data/netcdf/netcdf_writer.h"
#include "data/simulation/free_air.h"
#include "data/smeagol/smeagol_tree.h"
#include "data/weather/calendar.h"
#include "data/weather/conformal.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

using FileType = NetcdfWriter::Type;
using Point = SimulatedWeather::Point;

constexpr double term_step = 0.25, first_term = 3;  // [h]
constexpr double run_hours = 3;                     // between two runs
constexpr double member_phase = 7200;               // between the waves of two members [s]
constexpr int simulated_levels[] = {90, 85, 80, 75, 70, 65, 60, 55, 50, 45, 40, 30, 20, 10, 1};
constexpr DateTime first_runs[] = {{2022, 8, 6}, {2023, 1, 28}, {2023, 1, 7}};

// Of a model level above the ground [m]: level 90 is the lowest one.
float height_of(int level) {
  const double share = 1 - level / 91.0;
  return static_cast<float>(18000 * share * share);
}

struct LevelVariable {
  const char *name, *units;
  float (*value)(const Point& point, float height);
};
constexpr LevelVariable level_variables[] = {
    {"TEMPERATURE", "K",
     [](const Point& p, float height) { return FreeAir::temperature(p, height); }},
    {"WIND.U.PHYS", "m s-1",
     [](const Point& p, float height) { return p.u10 * FreeAir::wind_factor(height); }},
    {"WIND.V.PHYS", "m s-1",
     [](const Point& p, float height) { return p.v10 * FreeAir::wind_factor(height); }},
    {"HUMI.SPECIFI", "kg kg-1",
     [](const Point& p, float height) { return FreeAir::humidity(p, height); }}};

struct SurfaceVariable {
  const char *name, *units;
  float (*value)(const Point& point, float orography, float land);
};
constexpr SurfaceVariable surface_variables[] = {
    {"SURFTEMPERATURE", "K", [](const Point& p, float, float) { return p.skin; }},
    {"CLSTEMPERATURE", "K", [](const Point& p, float, float) { return p.t2m; }},
    {"CLSHUMI.RELATIVE", "1", [](const Point& p, float, float) { return p.relative_humidity; }},
    {"CLSVENT.ZONAL", "m s-1", [](const Point& p, float, float) { return p.u10; }},
    {"CLSVENT.MERIDIEN", "m s-1", [](const Point& p, float, float) { return p.v10; }},
    {"CLSU.RAF60M.XFU", "m s-1",
     [](const Point& p, float, float land) { return FreeAir::gust_factor(land) * p.u10; }},
    {"CLSV.RAF60M.XFU", "m s-1",
     [](const Point& p, float, float land) { return FreeAir::gust_factor(land) * p.v10; }},
    {"SURFPRESSION", "Pa",
     [](const Point& p, float orography, float) {
       return 101325 * std::exp(-orography / 8000) + 11.8f * (p.z - 1000);
     }},
    {"SURFACCPLUIE", "kg m-2", [](const Point& p, float, float) { return p.rain; }},
    {"SOMMFLU.RAY.SOLA", "J m-2",
     [](const Point& p, float, float land) { return p.sunshine * FreeAir::absorbed(land); }},
    {"SOMMRAYT.SOLAIRE", "J m-2", [](const Point& p, float, float) { return p.sunshine; }}};

// One file of a run: the same dimensions and coordinates for all its variables.
class RunFile {
 public:
  RunFile(const std::string& path, size_t grid, const std::vector<double>& terms, bool levels)
      : grid_(grid), levels_(levels), writer_(path) {
    step_ = writer_.dimension("step", terms.size());
    if (levels) level_ = writer_.dimension("level", std::size(simulated_levels));
    y_ = writer_.dimension("Y", grid);
    x_ = writer_.dimension("X", grid);
    const int step = writer_.variable("step", FileType::float64, {step_});
    writer_.attribute(step, "units", "hours");
    writer_.write(step, {0}, {terms.size()}, terms.data());
    if (levels)
      writer_.write(writer_.variable("level", FileType::int32, {level_}), {0},
                    {std::size(simulated_levels)}, simulated_levels);
  }

  void define(const char* name, const char* units) {
    const std::vector<int> dimensions =
        levels_ ? std::vector{step_, level_, y_, x_} : std::vector{step_, y_, x_};
    std::vector<size_t> chunk(dimensions.size(), 1);
    chunk[chunk.size() - 2] = chunk[chunk.size() - 1] = grid_;
    variables_.push_back(writer_.variable(name, FileType::float32, dimensions, chunk));
    writer_.attribute(variables_.back(), "units", units);
  }

  void write(size_t variable, size_t step, size_t level, const Plane& values) {
    std::vector<size_t> start = {step, 0, 0}, count = {1, grid_, grid_};
    if (levels_) {
      start.insert(start.begin() + 1, level);
      count.insert(count.begin() + 1, 1);
    }
    writer_.write(variables_[variable], start, count, values.data());
  }

  void finish() { writer_.finish(); }

 private:
  const size_t grid_;
  const bool levels_;
  NetcdfWriter writer_;
  int step_ = 0, level_ = 0, y_ = 0, x_ = 0;
  std::vector<int> variables_;
};

class TreeWriter {
 public:
  explicit TreeWriter(const SmeagolSimulation& settings)
      : settings_(settings),
        domain_(settings.grid),
        folder_(SmeagolPlace{settings.root, "france", "arome", "franmgsp32"}.folder()),
        points_(static_cast<size_t>(settings.grid * settings.grid)) {
    for (double term = first_term; term < settings.end_term; term += term_step)
      terms_.push_back(term);
    for (const DateTime& first : first_runs)
      for (int64_t run = 0; run < settings.runs; ++run)
        runs_.push_back(to_time(Calendar::standard, first) +
                        run * static_cast<Time>(run_hours * 3600));
  }

  void write() {
    if (std::filesystem::exists(folder_))
      throw Error(ErrorKind::input_output, folder_, ": exists already; take another --out");
    make_folders(folder_ + "/constant");
    write_constants();
    int64_t done = 0;
    const auto total = static_cast<int64_t>(runs_.size()) * settings_.members;
    for (const Time run : runs_) {
      make_folders(std::filesystem::path(smeagol_file(folder_, run, 0, "")).parent_path());
      for (int64_t member = 0; member < settings_.members; ++member) {
        write_member(run, member);
        if (settings_.progress) settings_.progress(++done, total);
      }
    }
  }

 private:
  // Rows from south to north; those of the simulation count from the north.
  template <typename Value>
  Plane plane(const Value& value) const {
    Plane result;
    for (int64_t row = settings_.grid - 1; row >= 0; --row)
      for (int64_t column = 0; column < settings_.grid; ++column)
        result.push_back(value(row, column));
    return result;
  }

  void write_constants() const {
    const auto n = static_cast<size_t>(settings_.grid);
    const SimulatedWeather weather(domain_, settings_.seed, runs_.front());
    const ConformalMap projection = ConformalMap::lambert({}, 46.7, 46.7, 46.7, 2);
    std::vector<double> axis, latitude, longitude;
    for (int64_t i = 0; i < settings_.grid; ++i)
      axis.push_back((static_cast<double>(i) - static_cast<double>(settings_.grid - 1) / 2) *
                     domain_.spacing);
    for (const double y : axis)
      for (const double x : axis) {
        const auto place = projection.earth({x, y});
        latitude.push_back(place.latitude);
        longitude.push_back(place.longitude);
      }
    NetcdfWriter writer(smeagol_constants(folder_));
    writer.attribute(NetcdfWriter::global, "title",
                     "Simulated weather of a rotating layer of fluid");
    const int y = writer.dimension("Y", n), x = writer.dimension("X", n);
    const auto add = [&](const char* name, FileType type, const std::vector<int>& dimensions,
                         const char* units, const auto& values) {
      const int id = writer.variable(name, type, dimensions);
      writer.attribute(id, "units", units);
      writer.write(id, std::vector<size_t>(dimensions.size(), 0),
                   std::vector<size_t>(dimensions.size(), n), values.data());
    };
    add("y", FileType::float64, {y}, "m", axis);
    add("x", FileType::float64, {x}, "m", axis);
    add("lat", FileType::float64, {y, x}, "degrees_north", latitude);
    add("lon", FileType::float64, {y, x}, "degrees_east", longitude);
    add("SURFGEOPOTENTIEL", FileType::float32, {y, x}, "m2 s-2",
        plane([&](int64_t row, int64_t column) {
          return static_cast<float>(SimulatedClimate::gravity) *
                 weather.climate().orography()[weather.index(row, column)];
        }));
    add("LandSeaMask", FileType::float32, {y, x}, "1", plane([&](int64_t row, int64_t column) {
          return weather.climate().land()[weather.index(row, column)];
        }));
    writer.finish();
  }

  void write_member(Time run, int64_t member) const {
    const Time start = run - 3600 * settings_.spin_up_hours;
    SimulatedWeather weather(
        domain_, settings_.seed, start, 3600 * term_step,
        static_cast<double>(start - runs_.front()) + member_phase * static_cast<double>(member));
    std::vector<std::unique_ptr<RunFile>> files;
    const auto open = [&](const char* stem, bool levels) {
      files.push_back(std::make_unique<RunFile>(smeagol_file(folder_, run, member, stem),
                                                static_cast<size_t>(settings_.grid), terms_,
                                                levels));
    };
    for (const LevelVariable& variable : level_variables) {
      open(variable.name, true);
      files.back()->define(variable.name, variable.units);
    }
    open(SmeagolTree::surface, false);
    for (const SurfaceVariable& variable : surface_variables)
      files.back()->define(variable.name, variable.units);
    while (weather.time() < run) weather.advance();
    weather.reset_sums();
    for (size_t step = 0; step < terms_.size(); ++step) {
      while (static_cast<double>(weather.time() - run) < terms_[step] * 3600) weather.advance();
      write_step(weather, step, files);
    }
    for (const auto& file : files) file->finish();
  }

  void write_step(const SimulatedWeather& weather, size_t step,
                  const std::vector<std::unique_ptr<RunFile>>& files) const {
    std::vector<Point> points;
    std::vector<float> orography, land;
    for (int64_t row = settings_.grid - 1; row >= 0; --row)
      for (int64_t column = 0; column < settings_.grid; ++column) {
        points.push_back(weather.point(row, column));
        orography.push_back(weather.climate().orography()[weather.index(row, column)]);
        land.push_back(weather.climate().land()[weather.index(row, column)]);
      }
    Plane values(points_);
    for (size_t v = 0; v < std::size(level_variables); ++v)
      for (size_t level = 0; level < std::size(simulated_levels); ++level) {
        const float height = height_of(simulated_levels[level]);
        std::ranges::transform(points, values.begin(), [&](const Point& point) {
          return level_variables[v].value(point, height);
        });
        files[v]->write(0, step, level, values);
      }
    for (size_t v = 0; v < std::size(surface_variables); ++v) {
      for (size_t k = 0; k < points_; ++k)
        values[k] = surface_variables[v].value(points[k], orography[k], land[k]);
      if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
        throw Error(ErrorKind::numeric, "simulate: the flow is unstable at ",
                    format_time(Calendar::standard, weather.time()), " on a grid of ",
                    settings_.grid, " points with seed ", settings_.seed);
      files.back()->write(v, step, 0, values);
    }
  }

  const SmeagolSimulation& settings_;
  const SimulatedDomain domain_;
  const std::string folder_;
  const size_t points_;
  std::vector<double> terms_;
  std::vector<Time> runs_;
};

}  // namespace

void simulate_smeagol(const SmeagolSimulation& settings) {
  if (settings.grid < 16 || settings.members < 1 || settings.members > 1000 || settings.runs < 1 ||
      settings.end_term <= first_term || settings.end_term > 1000)
    throw Error(ErrorKind::configuration, "simulate: ", settings.runs, " runs of ",
                settings.members, " members on ", settings.grid, " x ", settings.grid,
                " points up to term ", settings.end_term,
                " h: 16 points, one run, one member and a term after ", first_term,
                " h are the least");
  TreeWriter(settings).write();
}

}  // namespace py4cast
