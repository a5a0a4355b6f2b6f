#include "data/simulation/simulated_climate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/weather/calendar.h"

namespace py4cast {
namespace {

constexpr double pi = std::numbers::pi;
constexpr double earth_radius = 6.371e6, earth_rotation = 7.292e-5;
constexpr double mean_wind = 8, jet_wind = 20, jet_width = 3.2e5;  // [m s-1], [m]
constexpr double front_width = 2.6e5, front_contrast = 10;         // [m], [K]
constexpr double gradient = 5.5e-6;                                // [K m-1], northwards falling

double radians(double degrees) {
  return degrees * pi / 180;
}

}  // namespace

SimulatedDomain::SimulatedDomain(int64_t inner_points)
    : inner(inner_points),
      size(inner_points + 2 * frame),
      spacing(length / static_cast<double>(inner_points)) {}

double SimulatedDomain::latitude(int64_t j) const {
  return middle_latitude +
         (position(static_cast<double>(j)) - 0.5 * length) / earth_radius * 180 / pi;
}

double SimulatedDomain::longitude(int64_t i) const {
  return middle_longitude + (position(static_cast<double>(i)) - 0.5 * length) / earth_radius * 180 /
                                pi / std::cos(radians(middle_latitude));
}

double SimulatedDomain::depth(int64_t j, int64_t i) const {
  const double y = position(static_cast<double>(j)), x = position(static_cast<double>(i));
  return std::max(0.0, std::min({x, y, length - x, length - y}) / length);
}

SimulatedClimate::SimulatedClimate(const SimulatedDomain& domain, uint64_t seed) : domain_(domain) {
  const RandomKey key{seed, 0};
  const size_t points = static_cast<size_t>(domain.size * domain.size);
  const Plane continents = noise(key.child(1), 7e5, 3e6, 1.2),
              mountains = noise(key.child(2), 1.2e5, 1.2e6, 1.0);
  orography_.resize(points);
  land_.resize(points);
  for (size_t k = 0; k < points; ++k) {
    land_[k] = static_cast<float>(1 / (1 + std::exp(-12.0 * (continents[k] + 0.1))));
    const double inland = std::clamp(continents[k] + 0.1, 0.0, 1.0);
    const double ridge = std::max(0.0, 0.35 + 0.8 * mountains[k]);
    orography_[k] =
        static_cast<float>(std::min(2600.0, 1500 * inland * ridge * ridge + 80 * inland));
  }
  const RandomKey wave_key = key.child(3);
  const auto draw = [&](uint64_t index, double low, double high) {
    return low + (high - low) * wave_key.uniform(index);
  };
  for (uint64_t k = 0; k < 4; ++k) {
    const uint64_t at = 100 * k;
    const double number = 2 * pi / draw(at, 2.2e6, 6e6);
    meanders_.push_back({number, 0, number * draw(at + 1, 5, 14), draw(at + 2, 0, 2 * pi),
                         draw(at + 3, 1e5, 2.4e5), 2 * pi / draw(at + 4, 5e5, 1.5e6),
                         draw(at + 5, 0, 2 * pi)});
  }
  for (uint64_t k = 0; k < 6; ++k) {
    const uint64_t at = 1000 + 100 * k;
    const double number = 2 * pi / draw(at, 9e5, 2.6e6), angle = draw(at + 1, -0.9, 0.9);
    waves_.push_back({number * std::cos(angle), number * std::sin(angle),
                      number * std::cos(angle) * draw(at + 2, 3, 13), draw(at + 3, 0, 2 * pi),
                      draw(at + 4, 2.5, 5) / number, 2 * pi / draw(at + 5, 4e5, 1.2e6),
                      draw(at + 6, 0, 2 * pi)});
    Column column;
    for (int64_t i = 0; i <= domain.size; ++i) {
      const double x = domain.position(static_cast<double>(i) - 0.5);
      column.cosine.push_back(std::cos(waves_.back().x * x));
      column.sine.push_back(std::sin(waves_.back().x * x));
    }
    columns_.push_back(std::move(column));
  }
}

double SimulatedClimate::Wave::strength(double seconds) const {
  return amplitude * (1 + 0.6 * std::sin(swell * seconds + swell_phase));
}

// A sum of waves in all directions with variance 1; the amplitude grows as wavelength^slope.
Plane SimulatedClimate::noise(const RandomKey& key, double shortest, double longest,
                              double slope) const {
  constexpr uint64_t modes = 48;
  const int64_t n = domain_.size;
  std::vector<double> sum(static_cast<size_t>(n * n), 0.0);
  double variance = 0;
  for (uint64_t m = 0; m < modes; ++m) {
    const double share = static_cast<double>(m) / (modes - 1);
    const double length = longest * std::pow(shortest / longest, share);
    const double angle = 2 * pi * key.uniform(2 * m), phase = 2 * pi * key.uniform(2 * m + 1);
    const double amplitude = std::pow(length / longest, slope);
    const double kx = 2 * pi / length * std::cos(angle), ky = 2 * pi / length * std::sin(angle);
    variance += 0.5 * amplitude * amplitude;
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < n; ++i)
        sum[static_cast<size_t>(j * n + i)] +=
            amplitude * std::cos(kx * domain_.position(static_cast<double>(i)) +
                                 ky * domain_.position(static_cast<double>(j)) + phase);
  }
  Plane result;
  for (double value : sum) result.push_back(static_cast<float>(value / std::sqrt(variance)));
  return result;
}

Plane SimulatedClimate::fluid_relief() const {
  Plane relief = orography_;
  for (float& height : relief) height *= 0.15f;
  return relief;
}

double SimulatedClimate::coriolis() const {
  return 2 * earth_rotation * std::sin(radians(SimulatedDomain::middle_latitude));
}

double SimulatedClimate::beta() const {
  return 2 * earth_rotation * std::cos(radians(SimulatedDomain::middle_latitude)) / earth_radius;
}

// Latitude of the jet [m].
double SimulatedClimate::jet_position(double x, double seconds) const {
  double y = 0.5 * SimulatedDomain::length;
  for (const Wave& m : meanders_)
    y += m.strength(seconds) * std::sin(m.x * x - m.frequency * seconds + m.phase);
  return y;
}

// [m2 s-1]: the mean wind and the jet.
double SimulatedClimate::stream_function(double y, double jet) const {
  return -mean_wind * (y - 0.5 * SimulatedDomain::length) -
         jet_wind * jet_width * std::tanh((y - jet) / jet_width);
}

void SimulatedClimate::large_scale(double seconds, Time time, LargeScale& out) const {
  const int64_t n = domain_.size, corners = n + 1;
  const size_t points = static_cast<size_t>(n * n);
  for (Plane* plane : {&out.flow.u, &out.flow.v, &out.flow.h, &out.temperature})
    plane->resize(points);
  std::vector<double> stream(static_cast<size_t>(corners * corners)), jet;
  for (int64_t i = 0; i < corners; ++i)
    jet.push_back(jet_position(domain_.position(static_cast<double>(i) - 0.5), seconds));
  const double season = std::cos(
      2 * pi * (day_of_year(Calendar::standard, time) + seconds_of_day(time) / 86400.0 - 200) /
      365);
#pragma omp parallel for schedule(static) if (worth_threads(n))
  for (int64_t j = 0; j < corners; ++j) {
    const double y = domain_.position(static_cast<double>(j) - 0.5);
    double* row = stream.data() + j * corners;
    for (int64_t i = 0; i < corners; ++i) row[i] = stream_function(y, jet[static_cast<size_t>(i)]);
    for (size_t w = 0; w < waves_.size(); ++w) {
      const double angle = waves_[w].y * y - waves_[w].frequency * seconds + waves_[w].phase;
      const double strength = waves_[w].strength(seconds);
      const double c = strength * std::cos(angle), d = strength * std::sin(angle);
      for (int64_t i = 0; i < corners; ++i) {
        const size_t k = static_cast<size_t>(i);
        row[i] += c * columns_[w].cosine[k] - d * columns_[w].sine[k];
      }
    }
  }
#pragma omp parallel for schedule(static) if (worth_threads(n))
  for (int64_t j = 0; j < n; ++j) {
    const double north = domain_.position(static_cast<double>(j)) - 0.5 * SimulatedDomain::length;
    for (int64_t i = 0; i < n; ++i) {
      const double* psi = stream.data() + j * corners + i;
      const size_t k = static_cast<size_t>(j * n + i);
      out.flow.u[k] = static_cast<float>((psi[0] - psi[corners]) / domain_.spacing);
      out.flow.v[k] = static_cast<float>((psi[1] - psi[0]) / domain_.spacing);
      const double mean = 0.25 * (psi[0] + psi[1] + psi[corners] + psi[corners + 1]);
      out.flow.h[k] =
          static_cast<float>(thickness + coriolis() / gravity * mean - 0.15 * orography_[k]);
      // Warm south of the jet, and where the waves turn anticyclonically.
      const double front = (north + 0.5 * SimulatedDomain::length - jet[static_cast<size_t>(i)]);
      out.temperature[k] =
          static_cast<float>(286 + 9 * season - gradient * north -
                             0.5 * front_contrast * std::tanh(front / front_width) +
                             3e-7 * (mean - stream_function(north + 0.5 * SimulatedDomain::length,
                                                            jet[static_cast<size_t>(i)])));
    }
  }
}

SimulatedClimate::Sun SimulatedClimate::sun(Time time) const {
  const double tilt =
      radians(23.45) * std::sin(2 * pi * (285.0 + day_of_year(Calendar::standard, time)) / 365);
  const double hour = static_cast<double>(seconds_of_day(time)) / 3600 - 12;
  Sun sun;
  for (int64_t k = 0; k < domain_.size; ++k) {
    const double latitude = radians(domain_.latitude(k));
    sun.rows_sin.push_back(static_cast<float>(std::sin(latitude) * std::sin(tilt)));
    sun.rows_cos.push_back(static_cast<float>(std::cos(latitude) * std::cos(tilt)));
    sun.columns.push_back(
        static_cast<float>(std::cos(pi / 12 * (hour + domain_.longitude(k) / 15))));
  }
  return sun;
}

}  // namespace py4cast
