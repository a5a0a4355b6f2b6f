// Adds the gradients that a backward pass gives to those of the parameters.
#pragma once

#include <functional>
#include <vector>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/products/weight_gradients.h"

namespace py4cast {

// parameter.gradient() += gradient: on a CPU at once, on a GPU together when they are many or large, and some
// by the kernels that make them: give the step's context `weights`. `added` hears of each parameter when its
// sum is on its way, after at most `bytes` of gradients. Call finish() at the end, in a dry run of the arena,
// too.
//
// Kernels add the gradient of a weight at each of its uses. apart: not to what earlier backward passes left, but
// to a sum of this one's own, which finish() adds, so that (a1 + a2) + (b1 + b2) stays that; `added` hears then.
class GradientSums {
 public:
  GradientSums(const Context& context, const ParameterSlab& slab, bool apart = false,
               std::function<void(const Parameter&)> added = {}, size_t bytes = size_t{4} << 20);
  WeightGradients* weights();  // null on a CPU
  // An undefined gradient is in `weights` already. A parameter may come more than once.
  void add(const Parameter& parameter, Tensor gradient);
  void finish();

 private:
  void add_pending();
  void tell();

  Context context_;
  const ParameterSlab& slab_;
  bool apart_;
  Tensor sums_;  // of the slab's layout
  WeightGradients weights_;
  std::function<void(const Parameter&)> added_;
  std::vector<SumOfMany> pending_;
  std::vector<const Parameter*> parameters_;
  size_t most_bytes_, bytes_ = 0;
};

}  // namespace py4cast
