// What this machine can do at best, measured in the same run as what is compared with it.
#pragma once

namespace py4cast {

struct Ceilings {
  double flops;  // f32 fused multiply-adds per second, counted twice, all threads
  double bytes;  // of a = b + s c on arrays far larger than the caches, per second, all threads
};

// Measured at the first call (about a second); the best of several runs.
const Ceilings& ceilings();

}  // namespace py4cast
