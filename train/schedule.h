// Learning rate as a function of the optimiser step.
#pragma once

#include <cstdint>
#include <string>

namespace py4cast {

// Linear warm-up, then constant or half a cosine (spec of the original, newest release):
//   step < warmup:  lr step / max(1, warmup)
//   constant:       lr
//   cosine:         min_lr + (lr - min_lr) (1 + cos(pi p)) / 2,
//                   p = (step - warmup) / max(1, total - warmup)
struct Schedule {
  enum class Kind { constant, cosine };
  Kind kind = Kind::constant;
  double lr = 1e-3;
  double min_lr = 0;
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;

  // steps count from 0; beyond total_steps the cosine stays at min_lr
  double at(int64_t step) const;
};

}  // namespace py4cast
