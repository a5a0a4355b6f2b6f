// What this machine can do at best, measured in the same run as what is compared with it.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "engine/runtime.h"
#include "engine/work_counter.h"

namespace py4cast {

// On the CPU: fused multiply-adds in registers (counted twice), of f32, half of that for fp64, and for bf16
// the fastest that the processor has (products of tiles, of pairs, else those of f32); and
// a = b + s c on arrays far larger than the caches; all threads. On a GPU: a product of two square
// matrices as the library computes it in that precision, and a copy within its memory, read and write
// counted.
struct Ceilings {
  std::map<Precision, double> flops;  // per second
  double bytes = 0;                   // per second

  // The seconds that the work takes at least: at the ceiling that it meets first.
  double floor(const Work& work, Precision precision) const {
    return std::max(work.flops / flops.at(precision), work.bytes / bytes);
  }
};

// Takes a fifth of a second; the best of several runs. The matrices on a GPU have 16 `side` rows.
Ceilings measure_ceilings(Runtime& runtime, const std::vector<Precision>& precisions,
                          int64_t side = 512);

}  // namespace py4cast
