#include "data/simulation/simulated_weather.h"

#include <algorithm>
#include <cmath>

namespace py4cast {
namespace {

constexpr float lapse_rate = 6.5e-3f;   // [K m-1]
constexpr float layer_mass = 1200;      // [kg m-2]
constexpr float drizzle = 2e-5f;        // under full clouds [kg m-2 s-1]
constexpr float solar_constant = 1366;  // [W m-2]

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

}  // namespace

SimulatedWeather::SimulatedWeather(const SimulatedDomain& domain, uint64_t seed, Time start,
                                   double interval, double phase)
    : domain_(domain),
      interval_(interval),
      phase_(phase),
      climate_(domain, seed),
      water_(fluid(), climate_.fluid_relief(), relaxation(domain, 4, 0.5)),
      pull_(relaxation(domain, 8, 1)),
      start_(start),
      time_(start),
      parts_(static_cast<int>(3600 / interval)) {
  climate_.large_scale(phase_, time_, next_);
  water_.flow() = next_.flow;
  temperature_ = next_.temperature;
  for (float t : temperature_) moisture_.push_back(0.7f * saturation(t));
  anomaly_ = u_ = v_ = rain_ = sunshine_ = Plane(temperature_.size(), 0.0f);
}

void SimulatedWeather::advance() {
  if (part_ == 0) {
    std::swap(last_, next_);
    climate_.large_scale(phase_ + static_cast<double>(time_ - start_) + 3600, time_ + 3600, next_);
  }
  const float parts = static_cast<float>(parts_), begin = static_cast<float>(part_) / parts,
              end = static_cast<float>(part_ + 1) / parts;
  water_.advance(last_.flow, next_.flow, begin, end);
  water_.center_velocity(u_, v_);
  carry_along(domain_.size, domain_.spacing, interval_, u_, v_, {&temperature_, &moisture_},
              scratch_);
  time_ += static_cast<Time>(interval_);
  sources(end);
  part_ = (part_ + 1) % parts_;
}

void SimulatedWeather::reset_sums() {
  for (Plane* sum : {&rain_, &sunshine_}) std::ranges::fill(*sum, 0.0f);
}

SimulatedWeather::Point SimulatedWeather::point(int64_t row, int64_t column) const {
  const size_t k = index(row, column);
  const float land = climate_.land()[k];
  // Friction slows the wind and turns it towards low pressure, less so in the heat of the day.
  const float mixing = std::clamp(0.02f * anomaly_[k], -0.15f, 0.2f) * land;
  const float factor = 0.78f - 0.25f * land + mixing;
  const float angle = 0.2f + 0.25f * land - mixing;
  const float along = factor * std::cos(angle), across = factor * std::sin(angle);
  const float t2m = air_temperature(k) + anomaly_[k];
  return {.u10 = along * u_[k] - across * v_[k],
          .v10 = across * u_[k] + along * v_[k],
          .t2m = t2m,
          .q = moisture_[k],
          .z = water_.flow().h[k] + 0.15f * climate_.orography()[k],
          .skin = t2m + 0.4f * anomaly_[k],
          .relative_humidity = std::min(1.0f, moisture_[k] / saturation(t2m)),
          .rain = rain_[k],
          .sunshine = sunshine_[k]};
}

size_t SimulatedWeather::index(int64_t row, int64_t column) const {
  const int64_t j = domain_.size - 1 - SimulatedDomain::frame - row;
  return static_cast<size_t>(j * domain_.size + column + SimulatedDomain::frame);
}

ShallowWaterSettings SimulatedWeather::fluid() const {
  ShallowWaterSettings s;
  s.size = domain_.size;
  s.spacing = domain_.spacing;
  s.gravity = SimulatedClimate::gravity;
  s.coriolis = climate_.coriolis();
  s.beta = climate_.beta();
  s.viscosity = 0.23 * domain_.spacing;
  s.interval = interval_;
  // Waves of 110 m/s and winds of 50 m/s; the scheme is stable up to 0.61 of a cell's width.
  s.steps = static_cast<int64_t>(std::ceil(interval_ * 135 / (0.56 * domain_.spacing)));
  return s;
}

float SimulatedWeather::air_temperature(size_t k) const {
  return temperature_[k] - lapse_rate * climate_.orography()[k];
}

// Heat and moisture that do not come with the wind, over one interval.
void SimulatedWeather::sources(float share) {
  const int64_t n = domain_.size;
  const SimulatedClimate::Sun sun = climate_.sun(time_);
  const float dt = static_cast<float>(interval_), hour = 3600, day = 86400;
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
      rain_[k] += layer_mass * rain + drizzle * cloud * dt;
      const float clear = 1 - 0.75f * cloud;
      sunshine_[k] += solar_constant * 0.75f * clear * sun(j, i) * dt;
      const float heating = sun(j, i) * 3.6f * clear - 1.0f * clear;
      anomaly_[k] += dt / hour * ((0.07f + 0.93f * land) * heating - anomaly_[k] / 5);
    }
}

}  // namespace py4cast
