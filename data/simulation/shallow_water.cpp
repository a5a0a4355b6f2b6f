#include "data/simulation/shallow_water.h"

#include <algorithm>
#include <cmath>

namespace py4cast {
namespace {

// Four weights of cubic interpolation at 0 <= t < 1 between the second and the third point.
struct Cubic {
  explicit Cubic(float t)
      : w{-t * (t - 1) * (t - 2) / 6, (t + 1) * (t - 1) * (t - 2) / 2, -(t + 1) * t * (t - 2) / 2,
          (t + 1) * t * (t - 1) / 6} {}
  float w[4];
};

// A point of the grid and the way to the next one.
struct Place {
  Place(float position, int64_t n) {
    position = std::clamp(position, 1.0f, static_cast<float>(n) - 2.001f);
    index = static_cast<int64_t>(position);
    share = position - static_cast<float>(index);
  }
  int64_t index;
  float share;
};

float bilinear(const Plane& field, const Place& y, const Place& x, int64_t n) {
  const float* a = field.data() + y.index * n + x.index;
  const float low = a[0] + x.share * (a[1] - a[0]), high = a[n] + x.share * (a[n + 1] - a[n]);
  return low + y.share * (high - low);
}

float bicubic(const Plane& field, const Place& y, const Place& x, const Cubic& wy, const Cubic& wx,
              int64_t n) {
  const float* corner = field.data() + (y.index - 1) * n + x.index - 1;
  float sum = 0;
  for (int j = 0; j < 4; ++j) {
    const float* a = corner + j * n;
    sum += wy.w[j] * (wx.w[0] * a[0] + wx.w[1] * a[1] + wx.w[2] * a[2] + wx.w[3] * a[3]);
  }
  const float* a = corner + n + 1;
  const auto [low, high] = std::minmax({a[0], a[1], a[n], a[n + 1]});
  return std::clamp(sum, low, high);
}

}  // namespace

ShallowWater::ShallowWater(const ShallowWaterSettings& settings, Plane relief,
                           const Plane& relaxation)
    : settings_(settings), n_(settings.size), relief_(std::move(relief)), pull_(relaxation) {
  const double dt = settings.interval / static_cast<double>(settings.steps);
  for (float& rate : pull_) rate = static_cast<float>(1 - std::exp(-rate * dt));
  const double middle = 0.5 * static_cast<double>(n_);
  for (int64_t j = 0; j < n_; ++j)
    coriolis_.push_back(static_cast<float>(
        settings.coriolis + settings.beta * settings.spacing * (static_cast<double>(j) - middle)));
  const Plane empty(static_cast<size_t>(n_ * n_));
  flow_ = first_ = second_ = {empty, empty, empty};
  mass_u_ = mass_v_ = vorticity_ = bernoulli_ = empty;
}

// Mass fluxes, potential vorticity (on the south-western corners) and Bernoulli function.
void ShallowWater::derive(const Flow& flow) {
  const int64_t n = n_;
  const float inverse = static_cast<float>(1 / settings_.spacing),
              g = static_cast<float>(settings_.gravity);
#pragma omp for schedule(static)
  for (int64_t j = 0; j < n; ++j) {
    const int64_t south = j > 0 ? -n : 0, north = j < n - 1 ? n : 0;
    const float f = coriolis_[static_cast<size_t>(j)];
    const float *u = flow.u.data() + j * n, *v = flow.v.data() + j * n, *h = flow.h.data() + j * n,
                *relief = relief_.data() + j * n;
    float *mass_u = mass_u_.data() + j * n, *mass_v = mass_v_.data() + j * n,
          *q = vorticity_.data() + j * n, *b = bernoulli_.data() + j * n;
#pragma omp simd
    for (int64_t i = 1; i < n; ++i) {
      mass_u[i] = 0.5f * (h[i] + h[i - 1]) * u[i];
      mass_v[i] = 0.5f * (h[i] + h[i + south]) * v[i];
      const float turn = (v[i] - v[i - 1] - u[i] + u[i + south]) * inverse;
      q[i] = 4 * (f + turn) / (h[i] + h[i - 1] + h[i + south] + h[i + south - 1]);
    }
    mass_v[0] = 0.5f * (h[0] + h[south]) * v[0];
#pragma omp simd
    for (int64_t i = 0; i < n - 1; ++i)
      b[i] = g * (h[i] + relief[i]) + 0.25f * (u[i] * u[i] + u[i + 1] * u[i + 1] + v[i] * v[i] +
                                               v[i + north] * v[i + north]);
  }
}

// out = flow_ + dt * tendency(at); the ring is left alone.
void ShallowWater::step(const Flow& at, Flow& out, float dt) {
  derive(at);
  const int64_t n = n_;
  const float inverse = static_cast<float>(1 / settings_.spacing);
  const float nu = static_cast<float>(settings_.viscosity / settings_.spacing / settings_.spacing);
#pragma omp for schedule(static)
  for (int64_t j = 1; j < n - 1; ++j) {
    const float *u = at.u.data() + j * n, *v = at.v.data() + j * n,
                *mass_u = mass_u_.data() + j * n, *mass_v = mass_v_.data() + j * n,
                *q = vorticity_.data() + j * n, *b = bernoulli_.data() + j * n;
    const float *old_u = flow_.u.data() + j * n, *old_v = flow_.v.data() + j * n,
                *old_h = flow_.h.data() + j * n;
    float *new_u = out.u.data() + j * n, *new_v = out.v.data() + j * n,
          *new_h = out.h.data() + j * n;
#pragma omp simd
    for (int64_t i = 1; i < n - 1; ++i) {
      const float across = mass_v[i] + mass_v[i - 1] + mass_v[i + n] + mass_v[i + n - 1];
      new_u[i] =
          old_u[i] + dt * (0.125f * (q[i] + q[i + n]) * across - (b[i] - b[i - 1]) * inverse +
                           nu * (u[i - 1] + u[i + 1] + u[i - n] + u[i + n] - 4 * u[i]));
    }
#pragma omp simd
    for (int64_t i = 1; i < n - 1; ++i) {
      const float across = mass_u[i] + mass_u[i + 1] + mass_u[i - n] + mass_u[i - n + 1];
      new_v[i] =
          old_v[i] - dt * (0.125f * (q[i] + q[i + 1]) * across + (b[i] - b[i - n]) * inverse -
                           nu * (v[i - 1] + v[i + 1] + v[i - n] + v[i + n] - 4 * v[i]));
    }
#pragma omp simd
    for (int64_t i = 1; i < n - 1; ++i)
      new_h[i] = old_h[i] - dt * inverse * (mass_u[i + 1] - mass_u[i] + mass_v[i + n] - mass_v[i]);
  }
}

void ShallowWater::relax(const Flow& from, const Flow& to, float share) {
  const size_t n = static_cast<size_t>(n_);
  const auto pull_row = [&](Plane Flow::*field, size_t j) {
    const Plane &a = from.*field, &b = to.*field;
    Plane& x = flow_.*field;
    const bool ring_row = j == 0 || j == n - 1;
    const float *from_row = a.data() + j * n, *to_row = b.data() + j * n,
                *pull = pull_.data() + j * n;
    float* row = x.data() + j * n;
#pragma omp simd
    for (size_t i = 0; i < n; ++i)
      row[i] += pull[i] * (from_row[i] + share * (to_row[i] - from_row[i]) - row[i]);
    for (size_t i = 0; i < n; i += ring_row ? 1 : n - 1) {
      row[i] = from_row[i] + share * (to_row[i] - from_row[i]);
      (first_.*field)[j * n + i] = (second_.*field)[j * n + i] = row[i];
    }
  };
#pragma omp for schedule(static)
  for (size_t j = 0; j < n; ++j)
    for (Plane Flow::*field : {&Flow::u, &Flow::v, &Flow::h}) pull_row(field, j);
}

void ShallowWater::advance(const Flow& from, const Flow& to, float begin, float end) {
  const float dt = static_cast<float>(settings_.interval / static_cast<double>(settings_.steps));
  first_ = second_ = flow_;
#pragma omp parallel if (worth_threads(n_))
  for (int64_t k = 0; k < settings_.steps; ++k) {
    const float share =
        begin + (end - begin) * static_cast<float>(k + 1) / static_cast<float>(settings_.steps);
    step(flow_, first_, dt / 3);
    step(first_, second_, dt / 2);
    step(second_, flow_, dt);
    relax(from, to, share);
  }
}

void ShallowWater::center_velocity(Plane& u, Plane& v) const {
  const int64_t n = n_;
#pragma omp parallel for schedule(static) if (worth_threads(n))
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i) {
      const size_t k = static_cast<size_t>(j * n + i);
      u[k] = i < n - 1 ? 0.5f * (flow_.u[k] + flow_.u[k + 1]) : flow_.u[k];
      v[k] = j < n - 1 ? 0.5f * (flow_.v[k] + flow_.v[k + static_cast<size_t>(n)]) : flow_.v[k];
    }
}

void carry_along(int64_t size, double spacing, double interval, const Plane& u, const Plane& v,
                 const std::vector<Plane*>& tracers, std::vector<Plane>& scratch) {
  const int64_t n = size;
  const float half = static_cast<float>(0.5 * interval / spacing);
  scratch.resize(tracers.size());
  for (Plane& plane : scratch) plane.resize(static_cast<size_t>(n * n));
#pragma omp parallel for schedule(static) if (worth_threads(n))
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i) {
      const size_t k = static_cast<size_t>(j * n + i);
      const float y0 = static_cast<float>(j), x0 = static_cast<float>(i);
      float dy = half * v[k], dx = half * u[k];
      for (int iteration = 0; iteration < 2; ++iteration) {
        const Place y(y0 - dy, n), x(x0 - dx, n);
        dy = half * bilinear(v, y, x, n);
        dx = half * bilinear(u, y, x, n);
      }
      const Place y(y0 - 2 * dy, n), x(x0 - 2 * dx, n);
      const Cubic wy(y.share), wx(x.share);
      for (size_t t = 0; t < tracers.size(); ++t)
        scratch[t][k] = bicubic(*tracers[t], y, x, wy, wx, n);
    }
  for (size_t t = 0; t < tracers.size(); ++t) std::swap(*tracers[t], scratch[t]);
}

}  // namespace py4cast
