#include "layers/convolution.h"

#include <cmath>

namespace py4cast {
namespace {

Shape repeated(int64_t value, int count) {
  const std::vector<int64_t> sizes(static_cast<size_t>(count), value);
  return Shape(sizes);
}

}  // namespace

Convolution::Convolution(const Builder& builder, const ConvSettings& settings)
    : settings_(settings) {
  const int rank = settings.spatial_rank;
  const int64_t in = settings.in / settings.groups;
  const Shape file_shape =
      repeated(settings.kernel, rank).inserted(0, in).inserted(0, settings.out);
  std::vector<int> order;  // [out, in, kernel...] -> [kernel..., in, out]
  for (int axis = 0; axis < rank; ++axis) order.push_back(axis + 2);
  order.push_back(1);
  order.push_back(0);
  const Initialisation initialisation{
      0, 1 / std::sqrt(static_cast<double>(in) * std::pow(settings.kernel, rank))};
  weight_ = &builder.parameter("weight", file_shape, order, initialisation);
  if (settings.bias) bias_ = &builder.parameter("bias", {settings.out}, {}, initialisation);
}

Tensor Convolution::operator()(Context& context, const Tensor& x) const {
  const int rank = settings_.spatial_rank;
  ConvolutionGeometry geometry;
  geometry.stride = repeated(1, rank);
  geometry.dilation = repeated(settings_.dilation, rank);
  geometry.padding = repeated(settings_.dilation * (settings_.kernel - 1) / 2, rank);
  geometry.groups = settings_.groups;
  return convolution(context, x, use(context, *weight_), bias_ ? use(context, *bias_) : Tensor(),
                     geometry);
}

}  // namespace py4cast
