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
  Tensor weight(Context& context) const { return use(context, *weight_); }
  Tensor bias(Context& context) const { return use(context, *bias_); }

 private:
  const Parameter *weight_, *bias_;
};

// y = g (x - m) / (sqrt(v) + 1e-5) + b over the features of each pixel, x [batch, height, width,
// features]: the flavour of SegFormer, whose g (starts at 1) and b (at 0) are [1, features, 1, 1] in
// files.
class PixelNorm {
 public:
  PixelNorm(const Builder& builder, int64_t features);
  Tensor operator()(Context& context, const Tensor& x) const;

 private:
  const Parameter *g_, *b_;
};

}  // namespace py4cast
