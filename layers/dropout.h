// Random zeros in training.
#pragma once

#include "layers/module.h"

namespace py4cast {

// What stands or falls together: nothing (PyTorch's Dropout), a channel of a sample (Dropout2d), a
// sample (drop path).
enum class Dropped { elements, channels, samples };

// See kernels/ops/dropout.h. x [batch, ..., channels]. Two modules of a network draw other numbers:
// their stream is their path.
class Dropout {
 public:
  Dropout(const Builder& builder, double probability, Dropped dropped = Dropped::elements);
  Tensor operator()(Context& context, const Tensor& x) const;

 private:
  double probability_;
  Dropped dropped_;
  uint64_t stream_;
};

}  // namespace py4cast
