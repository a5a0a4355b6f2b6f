// Adds the gradients that a backward pass gives to those of the parameters.
#pragma once

#include <functional>
#include <vector>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"

namespace py4cast {

// parameter.gradient() += gradient: on a CPU at once, on a GPU together when they are many or large. `added`
// hears of each parameter when its sum is on its way. Call finish() at the end, in a dry run of the arena,
// too.
class GradientSums {
 public:
  explicit GradientSums(const Context& context, std::function<void(const Parameter&)> added = {});
  void add(const Parameter& parameter, Tensor gradient);
  void finish();

 private:
  Context context_;
  std::function<void(const Parameter&)> added_;
  std::vector<SumOfMany> pending_;
  std::vector<const Parameter*> parameters_;
  size_t bytes_ = 0;
};

}  // namespace py4cast
