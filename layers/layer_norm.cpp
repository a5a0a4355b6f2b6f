#include "layers/layer_norm.h"

#include "kernels/ops/views.h"

namespace py4cast {

LayerNorm::LayerNorm(const Builder& builder, int64_t features)
    : weight_(&builder.parameter("weight", {features}, {}, {1, 0})),
      bias_(&builder.parameter("bias", {features}, {}, {0, 0})) {}

Tensor LayerNorm::operator()(Context& context, const Tensor& x) const {
  return layer_norm(context, x, weight(context), bias(context));
}

PixelNorm::PixelNorm(const Builder& builder, int64_t features) {
  const auto factor = [&](const char* name, double start) {
    return &builder.parameter(name, {1, features, 1, 1}, {0, 2, 3, 1}, {start, 0});
  };
  g_ = factor("g", 1);
  b_ = factor("b", 0);
}

Tensor PixelNorm::operator()(Context& context, const Tensor& x) const {
  const auto row = [&](const Parameter& parameter) {
    return reshape(context, use(context, parameter), {x.shape().back()});
  };
  return layer_norm(context, x, row(*g_), row(*b_), 0, 1e-5);
}

}  // namespace py4cast
