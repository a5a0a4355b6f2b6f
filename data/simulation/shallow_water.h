// A rotating layer of fluid over relief on a square of a beta plane, with two tracers carried
// along.
#pragma once

#include <cstdint>
#include <vector>

namespace py4cast {

// size x size values, row-major, rows from south to north.
using Plane = std::vector<float>;

// On small grids threads would wait for each other longer than they work.
inline bool worth_threads(int64_t size) {
  return size > 160;
}

struct ShallowWaterSettings {
  int64_t size = 0;       // points along each side
  double spacing = 0;     // [m]
  double gravity = 9.81;  // [m s-2]
  double coriolis = 0;    // in the middle of the square [s-1]
  double beta = 0;        // its change northwards [s-1 m-1]
  double viscosity = 0;   // [m2 s-1]
  int64_t steps = 1;      // within `interval`
  double interval = 900;  // [s]
};

// Velocities [m s-1] on the western and southern faces of the cells, thickness [m] at their
// centres.
struct Flow {
  Plane u, v, h;
};

// The equations, with q = (f + vorticity) / h and B = g (h + relief) + (u^2 + v^2) / 2:
//   du/dt =  q h v - dB/dx + nu lap u + r (u' - u)
//   dv/dt = -q h u - dB/dy + nu lap v + r (v' - v)
//   dh/dt = -d(h u)/dx - d(h v)/dy    + r (h' - h)
// A C-grid in the form that conserves potential enstrophy, three-stage Runge-Kutta steps. The
// reference u', v', h' also holds on the outermost ring. Same bits with any number of threads.
// Sources: Sadourny, J. Atmos. Sci. 32 (1975) 680; Wicker and Skamarock, Mon. Wea. Rev. 130 (2002)
// 2088.
class ShallowWater {
 public:
  // relaxation: r [s-1] of each cell; relief [m].
  ShallowWater(const ShallowWaterSettings& settings, Plane relief, const Plane& relaxation);

  // One interval; the reference goes from `from` at share `begin` towards `to`, linearly, and
  // covers the share end - begin of the way.
  void advance(const Flow& from, const Flow& to, float begin, float end);

  Flow& flow() { return flow_; }
  const Flow& flow() const { return flow_; }
  // Velocities at the centres of the cells.
  void center_velocity(Plane& u, Plane& v) const;

 private:
  void derive(const Flow& flow);
  void step(const Flow& at, Flow& out, float dt);
  void relax(const Flow& from, const Flow& to, float share);

  const ShallowWaterSettings settings_;
  const int64_t n_;
  const Plane relief_;
  Plane pull_;                   // share of the way to the reference within a step
  std::vector<float> coriolis_;  // at the southern face of each row
  Flow flow_, first_, second_;   // now, and the two stages of a step
  Plane mass_u_, mass_v_, vorticity_, bernoulli_;
};

// Carries tracers along for `interval` seconds: looks up, by cubic interpolation within the bounds
// of the four points around, where each point came from. u, v [m s-1] at the centres.
// Source: Staniforth and Cote, Mon. Wea. Rev. 119 (1991) 2206.
void carry_along(int64_t size, double spacing, double interval, const Plane& u, const Plane& v,
                 const std::vector<Plane*>& tracers, std::vector<Plane>& scratch);

}  // namespace py4cast
