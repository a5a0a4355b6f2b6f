#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace py4cast {

double Schedule::at(int64_t step) const {
  if (step < warmup_steps)
    return lr * static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, warmup_steps));
  if (kind == Kind::constant) return lr;
  const double progress =
      std::min(1.0, static_cast<double>(step - warmup_steps) /
                        static_cast<double>(std::max<int64_t>(1, total_steps - warmup_steps)));
  return min_lr + (lr - min_lr) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace py4cast
