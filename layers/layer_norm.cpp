#include "layers/layer_norm.h"

namespace py4cast {

LayerNorm::LayerNorm(const Builder& builder, int64_t features)
    : weight_(&builder.parameter("weight", {features}, {}, {1, 0})),
      bias_(&builder.parameter("bias", {features}, {}, {0, 0})) {}

Tensor LayerNorm::operator()(Context& context, const Tensor& x) const {
  return layer_norm(context, x, use(context, *weight_), use(context, *bias_));
}

}  // namespace py4cast
