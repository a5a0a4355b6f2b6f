// Convolution with its weight and bias.
#pragma once

#include "kernels/products/convolution.h"
#include "layers/module.h"

namespace py4cast {

struct ConvSettings {
  int64_t in = 0, out = 0;
  int64_t kernel = 3;  // per axis
  int64_t dilation = 1, groups = 1;
  bool bias = true;
  int spatial_rank = 2;
};

// Stride 1, zero padding dilation (kernel - 1) / 2 per side: the output has the size of the input
// ("same"). Weight in files [out, in/groups, kernel...], here [kernel..., in/groups, out]. Weight
// and bias start uniform in +-1/sqrt(fan_in), fan_in = in/groups kernel^rank, as PyTorch's Conv.
class Convolution {
 public:
  Convolution(const Builder& builder, const ConvSettings& settings);
  // x [batch, spatial..., in] -> [batch, spatial..., out]
  Tensor operator()(Context& context, const Tensor& x) const;

 private:
  ConvSettings settings_;
  std::string name_;
  const Parameter* weight_;
  const Parameter* bias_ = nullptr;
};

}  // namespace py4cast
