// A convolution in numbers, as the back ends see it.
#pragma once

#include <compare>
#include <cstdint>

namespace py4cast {

// On three spatial axes; missing ones come first and have size 1. Channels are those of all groups.
struct ConvolutionProblem {
  int64_t batch, in[3], out[3], kernel[3], stride[3], padding[3], dilation[3];
  int64_t groups, in_channels, out_channels;

  int64_t slabs() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t in_pixels() const { return batch * in[0] * in[1] * in[2]; }
  int64_t out_pixels() const { return batch * out[0] * out[1] * out[2]; }
  bool depthwise() const { return groups == in_channels && groups == out_channels; }
  auto operator<=>(const ConvolutionProblem&) const = default;
};

enum class ConvolutionKind { forward, data_gradient, weight_gradient };

}  // namespace py4cast
