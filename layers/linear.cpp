#include "layers/linear.h"

#include <cmath>
#include <string>

#include "kernels/ops/activation.h"
#include "kernels/products/linear.h"

namespace py4cast {

Linear::Linear(const Builder& builder, int64_t in, int64_t out, bool bias) {
  const Initialisation initialisation{0, 1 / std::sqrt(static_cast<double>(in))};
  weight_ = &builder.parameter("weight", {out, in}, {1, 0}, initialisation);
  if (bias) bias_ = &builder.parameter("bias", {out}, {}, initialisation);
}

Tensor Linear::operator()(Context& context, const Tensor& x) const {
  return linear(context, x, use(context, *weight_), bias_ ? use(context, *bias_) : Tensor());
}

Mlp::Mlp(const Builder& builder, const std::vector<int64_t>& widths, bool norm, bool recompute)
    : recompute_(recompute) {
  for (size_t i = 0; i + 1 < widths.size(); ++i)
    layers_.emplace_back(builder.child(std::to_string(2 * i)), widths[i], widths[i + 1]);
  if (norm) norm_.emplace(builder.child(std::to_string(2 * layers_.size() - 1)), widths.back());
}

Tensor Mlp::operator()(Context& context, Tensor x) const {
  if (!recompute_) return forward(context, std::move(x));
  const auto again = [this](Context& inner, std::span<const Tensor> inputs) {
    return std::vector{forward(inner, inputs[0])};
  };
  return checkpoint(context, again, {std::move(x)})[0];
}

Tensor Mlp::forward(Context& context, Tensor x) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0) x = activation(context, std::move(x), Activation::silu);
    x = layers_[i](context, x);
  }
  return norm_ ? (*norm_)(context, x) : x;
}

}  // namespace py4cast
