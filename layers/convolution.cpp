#include "layers/convolution.h"

#include <cmath>

#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "kernels/products/linear.h"

namespace py4cast {
namespace {

Shape repeated(int64_t value, int count) {
  const std::vector<int64_t> sizes(static_cast<size_t>(count), value);
  return Shape(sizes);
}

}  // namespace

Convolution::Convolution(const Builder& builder, const ConvSettings& settings) {
  const int rank = settings.spatial_rank;
  const auto padding = settings.padding.value_or(settings.dilation * (settings.kernel - 1) / 2);
  geometry_ = {.stride = repeated(settings.stride, rank),
               .padding = repeated(padding, rank),
               .dilation = repeated(settings.dilation, rank),
               .groups = settings.groups};
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
  return convolution(context, x, use(context, *weight_), bias_ ? use(context, *bias_) : Tensor(),
                     geometry_);
}

TransposedConvolution::TransposedConvolution(const Builder& builder, int64_t in, int64_t out,
                                             int64_t factor, bool bias) {
  const Initialisation initialisation{0, 1 / std::sqrt(static_cast<double>(out * factor * factor))};
  weight_ = &builder.parameter("weight", {in, out, factor, factor}, {0, 2, 3, 1}, initialisation);
  if (bias) bias_ = &builder.parameter("bias", {out}, {}, initialisation);
}

Tensor TransposedConvolution::operator()(Context& context, const Tensor& x) const {
  const Tensor weight = use(context, *weight_);  // [in, factor, factor, out]
  const int64_t in = weight.size(0), factor = weight.size(1), out = weight.size(3);
  const int64_t block = factor * factor;
  Tensor bias;
  if (bias_)
    bias = reshape(
        context, broadcast(context, reshape(context, use(context, *bias_), {1, out}), {block, out}),
        {block * out});
  const Tensor blocks = linear(context, x, reshape(context, weight, {in, block * out}), bias);
  const int64_t batch = x.size(0), height = x.size(1), width = x.size(2);
  const Tensor rows =
      transpose(context, reshape(context, blocks, {batch * height, width, factor, factor * out}),
                {0, 2, 1, 3});
  return reshape(context, rows, {batch, height * factor, width * factor, out});
}

}  // namespace py4cast
