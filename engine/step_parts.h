// The parts of a training step: ranges for a profiler (NVTX), and how long each takes.
#pragma once

#include <array>

#include "engine/context.h"
#include "engine/stopwatch.h"

namespace py4cast {

// The next batch; the losses; their gradients; the sums over ranks; the change of the weights.
enum class StepPart { data, forward, backward, reduce, optimiser };
constexpr std::array step_part_names = {"data", "forward", "backward", "reduce", "optimiser"};

using StepSeconds = std::array<double, step_part_names.size()>;

// One of them, from here to the end of the block. With `seconds` the host waits for the device at its
// end, and the time is added there; in a dry pass nothing is.
class PartRange {
 public:
  PartRange(const Context& context, StepPart part, StepSeconds* seconds);
  ~PartRange();
  PartRange(const PartRange&) = delete;
  PartRange& operator=(const PartRange&) = delete;

 private:
  const Device device_;
  const Stream stream_;
  double* const seconds_;  // null: not counted
  const Stopwatch time_;
};

}  // namespace py4cast
