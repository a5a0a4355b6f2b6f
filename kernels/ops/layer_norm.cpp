#include "kernels/ops/layer_norm.h"

#include <algorithm>

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/layer_norm_kernels.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"

namespace py4cast {

Tensor layer_norm(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  double inside, double outside) {
  check_per_channel(context, "layer_norm", "gamma", gamma, x);
  check_per_channel(context, "layer_norm", "beta", beta, x);
  const Shape rows{x.numel() / std::max<int64_t>(x.shape().back(), 1)};
  Tensor y = context.empty(x.shape(), x.type());
  const DataType wide = compute_type(x.type());
  Tensor mean = context.empty(rows, wide), inverse_deviation = context.empty(rows, wide);
  run_kernel<LayerNormForward>(context, "layer_norm", x.type(), x, gamma, beta, inside, outside, y,
                               mean, inverse_deviation);

  Rule rule = [=](Context& inner, Gradients dy, const Needed&) -> Gradients {
    if (inner.tape)
      return composite_gradients(
          inner,
          [&](Context& c) {
            return std::vector{layer_norm_composite(c, x, gamma, beta, inside, outside)};
          },
          {x, gamma, beta}, std::move(dy));
    Tensor dx = inner.empty(x.shape(), x.type());
    Tensor dgamma = inner.empty(gamma.shape(), wide), dbeta = inner.empty(beta.shape(), wide);
    Tensor partial = inner.empty({2, chunk_count(inner.device, mean.numel()), gamma.numel()}, wide);
    run_kernel<LayerNormBackward>(inner, "layer_norm", x.type(), dy[0], x, gamma, mean,
                                  inverse_deviation, outside, dx, dgamma, dbeta, partial);
    return {dx, dgamma, dbeta};
  };
  return record(context,
                {"layer_norm", per_element(x, 8), {{"inside", inside}, {"outside", outside}}},
                {x, gamma, beta}, std::move(y), std::move(rule));
}

Tensor layer_norm_composite(Context& context, const Tensor& x, const Tensor& gamma,
                            const Tensor& beta, double inside, double outside) {
  const Tensor centered = subtract(context, x, broadcast(context, mean(context, x, -1), x.shape()));
  const Tensor variance = mean(context, multiply(context, centered, centered), -1);
  // Roots of 0 are taken of 1 instead, and are 0 then.
  const Tensor sum = affine(context, variance, 1, inside), positive = greater(context, sum, 0);
  const Tensor safe = add(context, sum, affine(context, positive, -1, 1));
  const Tensor deviation = multiply(context, power(context, safe, 0.5), positive);
  const Tensor inverse = power(context, affine(context, deviation, 1, outside), -1);
  const Tensor normal = multiply(context, centered, broadcast(context, inverse, x.shape()));
  return add(context, multiply(context, normal, broadcast_last(context, gamma, x.shape())),
             broadcast_last(context, beta, x.shape()));
}

}  // namespace py4cast
