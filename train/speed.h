// How fast a training is: steps per second, and what share that is of what the machine can do.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "train/ceilings.h"
#include "train/step_runner.h"

namespace py4cast {

// Of the steps of this rank, from begin_epoch on. Without ceilings it tells no share.
class Speed {
 public:
  Speed(std::optional<Ceilings> ceilings, Precision precision)
      : ceilings_(std::move(ceilings)), precision_(precision) {}

  void begin_epoch();
  void add(const StepReport& report);
  // The seconds that the steps so far take at the ceilings.
  std::optional<double> floor() const;
  // {"epoch", "steps", "seconds", "steps_per_second", "batches_per_second" (micro-batches of all ranks: what the
  // original counts as iterations), "flops_per_step", "bytes_per_step"} and, with ceilings, {"ceiling_flops", "ceiling_bytes", "share_of_ceiling"}: the floor divided by the time.
  // Arithmetic and bytes are those that the ops tell (engine/work_counter.h).
  nlohmann::ordered_json report(int64_t epoch) const;

 private:
  using Clock = std::chrono::steady_clock;
  const std::optional<Ceilings> ceilings_;
  const Precision precision_;
  Clock::time_point start_ = Clock::now(), last_ = start_;
  int64_t steps_ = 0, batches_ = 0;
  Work work_;
};

}  // namespace py4cast
