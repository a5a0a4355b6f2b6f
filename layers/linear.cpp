#include "layers/linear.h"

#include <cmath>
#include <string>

#include "kernels/ops/activation.h"
#include "kernels/ops/views.h"
#include "kernels/products/linear.h"

namespace py4cast {

Linear::Linear(const Builder& builder, int64_t in, int64_t out, bool bias) {
  const Initialisation initialisation{0, 1 / std::sqrt(static_cast<double>(in))};
  weight_ = &builder.parameter("weight", {out, in}, {1, 0}, initialisation);
  if (bias) bias_ = &builder.parameter("bias", {out}, {}, initialisation);
}

Tensor Linear::operator()(Context& context, const Tensor& x) const {
  return linear(context, x, weight(context), bias(context));
}

std::vector<Tensor> Linear::rows(Context& context, const std::vector<int64_t>& counts) const {
  return slices(context, weight(context), 0, counts);
}

Mlp::Mlp(const Builder& builder, const std::vector<int64_t>& widths, bool norm, bool recompute)
    : recompute_(recompute) {
  for (size_t i = 0; i + 1 < widths.size(); ++i)
    layers_.emplace_back(builder.child(std::to_string(2 * i)), widths[i], widths[i + 1]);
  if (norm) norm_.emplace(builder.child(std::to_string(2 * layers_.size() - 1)), widths.back());
}

Tensor Mlp::operator()(Context& context, Tensor x) const {
  return from_layer(0, context, std::move(x));
}

Tensor Mlp::rest(Context& context, Tensor x) const {
  return from_layer(1, context, std::move(x));
}

MlpWeights Mlp::last(Context& context) const {
  return {.last = layers_.back().weight(context),
          .last_bias = layers_.back().bias(context),
          .gamma = norm_ ? norm_->weight(context) : Tensor(),
          .beta = norm_ ? norm_->bias(context) : Tensor()};
}

Tensor Mlp::from_layer(size_t layer, Context& context, Tensor x) const {
  const auto forward = [this, layer](Context& inner, Tensor y) {
    const size_t last = layers_.size() - 1;
    if (last == 0) {
      if (layer == 0) y = layers_[0](inner, y);
      return norm_ ? (*norm_)(inner, y) : y;
    }
    MlpWeights weights = this->last(inner);
    if (layer == last) return mlp(inner, y, weights);
    for (size_t i = layer; i < last; ++i) {
      if (i > 0) y = activation(inner, std::move(y), Activation::silu);
      if (i + 1 < last) y = layers_[i](inner, y);
    }
    weights.first = layers_[last - 1].weight(inner);
    weights.first_bias = layers_[last - 1].bias(inner);
    return mlp(inner, y, weights);
  };
  if (!recompute_) return forward(context, std::move(x));
  const auto again = [forward](Context& inner, std::span<const Tensor> inputs) {
    return std::vector{forward(inner, inputs[0])};
  };
  return checkpoint(context, again, {std::move(x)})[0];
}

}  // namespace py4cast
