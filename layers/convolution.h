// Convolutions with their weight and bias.
#pragma once

#include <optional>

#include "kernels/products/convolution.h"
#include "layers/module.h"

namespace py4cast {

// Numbers are the same for each axis.
struct ConvSettings {
  int64_t in = 0, out = 0;
  int64_t kernel = 3, stride = 1;
  std::optional<int64_t> padding = {};  // empty: dilation (kernel - 1) / 2, rounded down
  int64_t dilation = 1, groups = 1;
  bool bias = true;
  int spatial_rank = 2;
};

// Zero padding; with stride 1 and an odd kernel the output has the size of the input unless a
// padding is given ("same"). Weight in files [out, in/groups, kernel...], here [kernel...,
// in/groups, out]. Weight and bias start uniform in +-1/sqrt(fan_in), fan_in = in/groups
// kernel^rank, as PyTorch's Conv.
class Convolution {
 public:
  Convolution(const Builder& builder, const ConvSettings& settings);
  // x [batch, spatial..., in] -> [batch, spatial..., out]; its sizes are those of convolution()
  Tensor operator()(Context& context, const Tensor& x) const;

 private:
  ConvolutionGeometry geometry_;
  const Parameter* weight_;
  const Parameter* bias_ = nullptr;
};

// The transposed convolution whose stride is its kernel, factor x factor: each pixel of x becomes a
// block of pixels of its own, which makes it a product of matrices.
//   y[b, h factor + i, w factor + j, o] = bias[o] + sum_c x[b, h, w, c] weight[c, i, j, o]
//
// Weight in files [in, out, factor, factor]. Weight and bias start uniform in +-1/sqrt(fan_in) with
// fan_in = out factor^2, as PyTorch's ConvTranspose2d (which takes the second axis for the inputs).
class TransposedConvolution {
 public:
  TransposedConvolution(const Builder& builder, int64_t in, int64_t out, int64_t factor = 2,
                        bool bias = true);
  // x [batch, height, width, in] -> [batch, height factor, width factor, out]
  Tensor operator()(Context& context, const Tensor& x) const;

 private:
  const Parameter* weight_;
  const Parameter* bias_ = nullptr;
};

}  // namespace py4cast
