#include "data/simulation/simulate.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "data/netcdf/forecast_file.h"
#include "data/netcdf/netcdf_writer.h"
#include "data/simulation/simulated_weather.h"
#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

using Type = NetcdfWriter::Type;

struct Output {
  const char *name, *units, *standard_name, *long_name;
  double scale, offset;  // of the packed numbers
  float SimulatedWeather::Point::*value;
};

constexpr Output outputs[] = {{"u10", "m s-1", "eastward_wind", "10 metre wind towards the east",
                               0.003, 0, &SimulatedWeather::Point::u10},
                              {"v10", "m s-1", "northward_wind", "10 metre wind towards the north",
                               0.003, 0, &SimulatedWeather::Point::v10},
                              {"t2m", "K", "air_temperature", "2 metre temperature", 0.003, 273.15,
                               &SimulatedWeather::Point::t2m},
                              {"q", "kg kg-1", "specific_humidity", "2 metre specific humidity",
                               1e-6, 0.03, &SimulatedWeather::Point::q},
                              {"z", "m", "", "height of the free surface of the fluid", 0.03, 1000,
                               &SimulatedWeather::Point::z}};

class SimulationFile {
 public:
  SimulationFile(const SimulationSettings& settings, const SimulatedDomain& domain,
                 const SimulatedWeather& simulation, Time start)
      : settings_(settings),
        points_(static_cast<size_t>(settings.grid * settings.grid)),
        writer_(settings.out, NetcdfWriter::Kind::streamed) {
    writer_.attribute(NetcdfWriter::global, "Conventions", "CF-1.8");
    writer_.attribute(NetcdfWriter::global, "title",
                      "Simulated weather of a rotating layer of fluid");
    writer_.attribute(NetcdfWriter::global, "source",
                      "py4cast data simulate --grid " + std::to_string(settings.grid) +
                          " --hours " + std::to_string(settings.hours) + " --seed " +
                          std::to_string(settings.seed));
    define(start);
    write_constants(domain, simulation);
  }

  void write_record(int64_t record, const SimulatedWeather& simulation) {
    const size_t n = static_cast<size_t>(settings_.grid);
    std::vector<SimulatedWeather::Point> values(points_);
    bool finite = true;
#pragma omp parallel for schedule(static) reduction(&& : finite) if (worth_threads(settings_.grid))
    for (int64_t row = 0; row < settings_.grid; ++row)
      for (int64_t column = 0; column < settings_.grid; ++column) {
        const auto p = simulation.point(row, column);
        values[static_cast<size_t>(row * settings_.grid + column)] = p;
        finite = finite && std::isfinite(p.u10 + p.v10 + p.t2m + p.q + p.z);
      }
    if (!finite)
      throw Error(ErrorKind::numeric, "simulate: the flow is unstable at ",
                  format_time(Calendar::standard, simulation.time()), " on a grid of ",
                  settings_.grid, " points with seed ", settings_.seed);
    std::vector<int16_t> packed(points_);
    for (size_t o = 0; o < std::size(outputs); ++o) {
      for (size_t k = 0; k < points_; ++k)
        packed[k] = static_cast<int16_t>(std::clamp(
            std::round((values[k].*outputs[o].value - outputs[o].offset) / outputs[o].scale),
            -32767.0, 32767.0));
      writer_.write(fields_[o], {static_cast<size_t>(record), 0, 0}, {1, n, n}, packed.data());
    }
    const double hours = static_cast<double>(record);
    writer_.write(time_, {static_cast<size_t>(record)}, {1}, &hours);
  }

  void finish() {
    writer_.finish();
  }

 private:
  void define(Time start) {
    const size_t n = static_cast<size_t>(settings_.grid);
    const int time = writer_.dimension("time", 0);
    y_ = writer_.dimension("latitude", n);
    x_ = writer_.dimension("longitude", n);
    std::string epoch = format_time(Calendar::standard, start);
    epoch[epoch.find('T')] = ' ';
    time_ = writer_.variable("time", Type::int32, {time});
    describe(time_, "hours since " + epoch, "time", "");
    writer_.attribute(time_, "calendar", "standard");
    writer_.attribute(time_, "axis", "T");
    latitude_ = writer_.variable("latitude", Type::float64, {y_});
    describe(latitude_, "degrees_north", "latitude", "");
    longitude_ = writer_.variable("longitude", Type::float64, {x_});
    describe(longitude_, "degrees_east", "longitude", "");
    orography_ = writer_.variable("orography", Type::float32, {y_, x_});
    describe(orography_, "m", "surface_altitude", "height of the relief");
    land_ = writer_.variable("lsm", Type::float32, {y_, x_});
    describe(land_, "1", "land_area_fraction", "land-sea mask");
    for (const Output& output : outputs) {
      const int id = writer_.variable(output.name, Type::int16, {time, y_, x_});
      describe(id, output.units, output.standard_name, output.long_name);
      writer_.attribute(id, "scale_factor", output.scale, Type::float64);
      writer_.attribute(id, "add_offset", output.offset, Type::float64);
      fields_.push_back(id);
    }
  }

  void describe(int id, const std::string& units, const std::string& standard_name,
                const std::string& long_name) {
    writer_.attribute(id, "units", units);
    writer_.attribute(id, "standard_name", standard_name);
    writer_.attribute(id, "long_name", long_name);
  }

  void write_constants(const SimulatedDomain& domain, const SimulatedWeather& simulation) {
    const size_t n = static_cast<size_t>(settings_.grid);
    std::vector<double> latitude, longitude;
    for (int64_t k = 0; k < settings_.grid; ++k) {
      latitude.push_back(domain.latitude(domain.size - 1 - SimulatedDomain::frame - k));
      longitude.push_back(domain.longitude(SimulatedDomain::frame + k));
    }
    writer_.write(latitude_, {0}, {n}, latitude.data());
    writer_.write(longitude_, {0}, {n}, longitude.data());
    Plane orography, land;
    for (int64_t row = 0; row < settings_.grid; ++row)
      for (int64_t column = 0; column < settings_.grid; ++column) {
        const size_t k = simulation.index(row, column);
        orography.push_back(simulation.climate().orography()[k]);
        land.push_back(simulation.climate().land()[k]);
      }
    writer_.write(orography_, {0, 0}, {n, n}, orography.data());
    writer_.write(land_, {0, 0}, {n, n}, land.data());
  }

  const SimulationSettings& settings_;
  const size_t points_;
  NetcdfWriter writer_;
  int y_ = 0, x_ = 0, time_ = 0, latitude_ = 0, longitude_ = 0, orography_ = 0, land_ = 0;
  std::vector<int> fields_;
};

}  // namespace

void simulate(const SimulationSettings& settings) {
  if (settings.grid < 16)
    throw Error(ErrorKind::configuration, "simulate: a grid of ", settings.grid,
                " points is too small; it needs 16 or more");
  if (settings.hours < 1 || settings.spin_up_hours < 0)
    throw Error(ErrorKind::configuration, "simulate: ", settings.hours, " hours after ",
                settings.spin_up_hours, " hours of spin-up make no data");
  const SimulatedDomain domain(settings.grid);
  const Time first = to_time(Calendar::standard, {2020, 3, 1, 0, 0, 0});
  SimulatedWeather simulation(domain, settings.seed, first - 3600 * (settings.spin_up_hours + 1));
  SimulationFile file(settings, domain, simulation, first);
  const auto advance_hour = [&simulation] {
    for (const Time hour = simulation.time() + 3600; simulation.time() < hour;)
      simulation.advance();
  };
  for (int64_t hour = 0; hour <= settings.spin_up_hours; ++hour) advance_hour();
  for (int64_t record = 0; record < settings.hours; ++record) {
    if (record > 0) advance_hour();
    file.write_record(record, simulation);
    if (settings.progress) settings.progress(record + 1, settings.hours);
  }
  file.finish();
}

}  // namespace py4cast
