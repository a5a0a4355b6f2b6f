// Counter-based random numbers: a pure function of (key, counter), so every rank, thread and re-run
// draws the same, and with own arithmetic, so every machine does.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace py4cast {

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// A stream of random numbers. `child` gives independent streams: key.child(epoch).child(sample) ...
struct RandomKey {
  uint64_t seed = 42;
  uint64_t stream = 0;

  RandomKey child(uint64_t index) const;
  // The index-th number of the stream, in [0, 1), a multiple of 2^-53.
  double uniform(uint64_t index) const;
  // Standard normal: the inverse distribution function (Wichura, AS 241, relative error 1e-16) of a
  // uniform.
  double normal(uint64_t index) const;
  uint64_t bits(uint64_t index) const;
  // Uniform integer in [0, bound), bound > 0.
  uint64_t below(uint64_t bound, uint64_t index) const;
  // A random order of 0 ... n-1 (Fisher and Yates).
  std::vector<int64_t> permutation(int64_t n) const;
};

}  // namespace py4cast
