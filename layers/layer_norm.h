// Layer normalisation with its factors.
#pragma once

#include "kernels/ops/layer_norm.h"
#include "layers/module.h"

namespace py4cast {

// y = weight (x - m) / sqrt(v + 1e-5) + bias over the last axis, x [..., features]; m, v: mean and
// biased variance along it. Names as PyTorch's LayerNorm: weight (starts at 1), bias (at 0).
class LayerNorm {
 public:
  LayerNorm(const Builder& builder, int64_t features);
  Tensor operator()(Context& context, const Tensor& x) const;

 private:
  const Parameter *weight_, *bias_;
};

}  // namespace py4cast
