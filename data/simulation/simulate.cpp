#include "data/simulation/simulate.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "data/netcdf/forecast_file.h"
#include "data/netcdf/netcdf_writer.h"
#include "data/simulation/shallow_water.h"
#include "data/simulation/simulated_climate.h"
#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

using Type = NetcdfWriter::Type;

constexpr double interval = 1800;      // of tracers and sources [s]
constexpr float lapse_rate = 6.5e-3f;  // [K m-1]

// Specific humidity of saturated air at 1000 hPa [kg kg-1].
float saturation(float temperature) {
  const float celsius = temperature - 273.15f;
  const float pressure = 6.112f * std::exp(17.67f * celsius / (celsius + 243.5f));
  return 0.622f * pressure / (1000 - 0.378f * pressure);
}

float cloudiness(float relative_humidity) {
  const float t = std::clamp((relative_humidity - 0.65f) / 0.33f, 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

// Rate of the pull towards the large scale: hours at the rim, days inside.
Plane relaxation(const SimulatedDomain& domain, double inner_days, double rim_hours) {
  constexpr double width = 0.1;
  Plane rates;
  for (int64_t j = 0; j < domain.size; ++j)
    for (int64_t i = 0; i < domain.size; ++i) {
      const double s = std::max(0.0, 1 - domain.depth(j, i) / width);
      rates.push_back(static_cast<float>(1 / (inner_days * 86400) + s * s / (rim_hours * 3600)));
    }
  return rates;
}

class Simulation {
 public:
  Simulation(const SimulatedDomain& domain, uint64_t seed, Time start)
      : domain_(domain),
        climate_(domain, seed),
        water_(fluid(), climate_.fluid_relief(), relaxation(domain, 4, 0.5)),
        pull_(relaxation(domain, 8, 1)),
        start_(start),
        time_(start) {
    climate_.large_scale(0, time_, next_);
    water_.flow() = next_.flow;
    temperature_ = next_.temperature;
    for (float t : temperature_) moisture_.push_back(0.7f * saturation(t));
    anomaly_ = u_ = v_ = Plane(temperature_.size(), 0.0f);
  }

  void advance_hour() {
    std::swap(last_, next_);
    climate_.large_scale(static_cast<double>(time_ - start_) + 3600, time_ + 3600, next_);
    for (float begin : {0.0f, 0.5f}) {
      water_.advance(last_.flow, next_.flow, begin, begin + 0.5f);
      water_.center_velocity(u_, v_);
      carry_along(domain_.size, domain_.spacing, interval, u_, v_, {&temperature_, &moisture_},
                  scratch_);
      time_ += static_cast<Time>(interval);
      sources(begin + 0.5f);
    }
  }

  struct Point {
    float u10, v10, t2m, q, z;
  };
  // Of a point of the inner grid, counted from the north-west.
  Point point(int64_t row, int64_t column) const {
    const size_t k = index(row, column);
    const float land = climate_.land()[k];
    // Friction slows the wind and turns it towards low pressure, less so in the heat of the day.
    const float mixing = std::clamp(0.02f * anomaly_[k], -0.15f, 0.2f) * land;
    const float factor = 0.78f - 0.25f * land + mixing;
    const float angle = 0.2f + 0.25f * land - mixing;
    const float along = factor * std::cos(angle), across = factor * std::sin(angle);
    return {along * u_[k] - across * v_[k], across * u_[k] + along * v_[k],
            air_temperature(k) + anomaly_[k], moisture_[k],
            water_.flow().h[k] + 0.15f * climate_.orography()[k]};
  }
  size_t index(int64_t row, int64_t column) const {
    const int64_t j = domain_.size - 1 - SimulatedDomain::frame - row;
    return static_cast<size_t>(j * domain_.size + column + SimulatedDomain::frame);
  }
  const SimulatedClimate& climate() const { return climate_; }
  Time time() const { return time_; }

 private:
  ShallowWaterSettings fluid() const {
    ShallowWaterSettings s;
    s.size = domain_.size;
    s.spacing = domain_.spacing;
    s.gravity = SimulatedClimate::gravity;
    s.coriolis = climate_.coriolis();
    s.beta = climate_.beta();
    s.viscosity = 0.23 * domain_.spacing;
    s.interval = interval;
    // Waves of 110 m/s and winds of 50 m/s; the scheme is stable up to 0.61 of a cell's width.
    s.steps = static_cast<int64_t>(std::ceil(interval * 135 / (0.56 * domain_.spacing)));
    return s;
  }

  float air_temperature(size_t k) const {
    return temperature_[k] - lapse_rate * climate_.orography()[k];
  }

  // Heat and moisture that do not come with the wind, over one interval.
  void sources(float share) {
    const int64_t n = domain_.size;
    const SimulatedClimate::Sun sun = climate_.sun(time_);
    const float dt = static_cast<float>(interval), hour = 3600, day = 86400;
#pragma omp parallel for schedule(static) if (worth_threads(n))
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < n; ++i) {
        const size_t k = static_cast<size_t>(j * n + i);
        const float land = climate_.land()[k];
        const float pull = std::min(1.0f, dt * pull_[k]);
        const float large =
            last_.temperature[k] + share * (next_.temperature[k] - last_.temperature[k]);
        temperature_[k] += pull * (large - temperature_[k]);
        const float limit = saturation(air_temperature(k));
        const float cloud = cloudiness(moisture_[k] / limit);
        // Evaporation, quick over the sea and over warm land; drying by the large scale.
        const float wanted =
            (0.86f - 0.22f * land) * saturation(air_temperature(k) + 0.4f * anomaly_[k]);
        const float rate = dt / ((1.5f + 2.5f * land) * day);
        moisture_[k] += std::max(0.0f, wanted - moisture_[k]) * rate;
        moisture_[k] += pull * (0.68f * saturation(large) - moisture_[k]);
        const float rain = std::max(0.0f, moisture_[k] - limit) * std::min(1.0f, dt / hour);
        moisture_[k] -= rain;
        temperature_[k] += 0.25f * 2490 * rain;
        const float clear = 1 - 0.75f * cloud;
        const float heating = sun(j, i) * 3.6f * clear - 1.0f * clear;
        anomaly_[k] += dt / hour * ((0.07f + 0.93f * land) * heating - anomaly_[k] / 5);
      }
  }

  const SimulatedDomain domain_;
  const SimulatedClimate climate_;
  ShallowWater water_;
  const Plane pull_;
  const Time start_;
  Time time_;
  LargeScale last_, next_;
  Plane temperature_, moisture_;  // at sea level [K], [kg kg-1]
  Plane anomaly_;                 // of the surface by day and night [K]
  Plane u_, v_;
  std::vector<Plane> scratch_;
};

struct Output {
  const char *name, *units, *standard_name, *long_name;
  double scale, offset;  // of the packed numbers
  float Simulation::Point::*value;
};

constexpr Output outputs[] = {
    {"u10", "m s-1", "eastward_wind", "10 metre wind towards the east", 0.003, 0,
     &Simulation::Point::u10},
    {"v10", "m s-1", "northward_wind", "10 metre wind towards the north", 0.003, 0,
     &Simulation::Point::v10},
    {"t2m", "K", "air_temperature", "2 metre temperature", 0.003, 273.15, &Simulation::Point::t2m},
    {"q", "kg kg-1", "specific_humidity", "2 metre specific humidity", 1e-6, 0.03,
     &Simulation::Point::q},
    {"z", "m", "", "height of the free surface of the fluid", 0.03, 1000, &Simulation::Point::z}};

class SimulationFile {
 public:
  SimulationFile(const SimulationSettings& settings, const SimulatedDomain& domain,
                 const Simulation& simulation, Time start)
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

  void write_record(int64_t record, const Simulation& simulation) {
    const size_t n = static_cast<size_t>(settings_.grid);
    std::vector<Simulation::Point> values(points_);
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

  void write_constants(const SimulatedDomain& domain, const Simulation& simulation) {
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
  Simulation simulation(domain, settings.seed, first - 3600 * (settings.spin_up_hours + 1));
  SimulationFile file(settings, domain, simulation, first);
  for (int64_t hour = 0; hour <= settings.spin_up_hours; ++hour) simulation.advance_hour();
  for (int64_t record = 0; record < settings.hours; ++record) {
    if (record > 0) simulation.advance_hour();
    file.write_record(record, simulation);
    if (settings.progress) settings.progress(record + 1, settings.hours);
  }
  file.finish();
}

}  // namespace py4cast
