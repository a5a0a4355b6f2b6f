// One training step of a network: a rollout of forecasts, weighted loss, backward, AdamW; data in
// memory. The peer is bench/peers/torch_step.py, with the same shapes.
#pragma once

#include <memory>

#include "bench/machine.h"
#include "bench/step_cases.h"

namespace py4cast {

// 67 features go in: two states of 21, and 25 forcings and constant fields. The machine outlives it.
class TrainingStep {
 public:
  TrainingStep(Machine& machine, const StepCase& which, Precision precision, int64_t forecasts);
  ~TrainingStep();

  void operator()(Context& context) const;
  // To run it with.
  const Context& context() const { return context_; }

 private:
  struct State;
  Context context_;
  int64_t forecasts_;
  std::unique_ptr<State> state_;
};

}  // namespace py4cast
