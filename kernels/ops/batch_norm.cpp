#include "kernels/ops/batch_norm.h"

#include <algorithm>

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/batch_norm_kernels.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"

namespace py4cast {
namespace {

bool is_relu(Activation activation) {
  if (activation != Activation::identity && activation != Activation::relu)
    throw Error(ErrorKind::internal, "batch_norm: only identity and relu are part of it");
  return activation == Activation::relu;
}

struct Saved {
  Tensor x, gamma, beta, mean, inverse_deviation;
  bool relu, constants;
};

void normalize(Context& context, const Saved& s, const Tensor& y) {
  run_kernel<Normalize>(context, "batch_norm", s.x.type(), s.x, s.mean, s.inverse_deviation,
                        s.gamma, s.beta, s.relu, y);
}

Gradients backward(Context& context, const Saved& s, Tensor dy, const Needed& needed) {
  const int64_t channels = s.gamma.numel();
  const DataType wide = compute_type(dy.type());
  Tensor dgamma = context.empty({channels}, wide), dbeta = context.empty({channels}, wide);
  {
    const Tensor partial =
        context.empty({2, chunk_count(context.device, dy.numel() / channels), channels}, wide);
    run_kernel<BatchNormSums>(context, "batch_norm", dy.type(), dy, s.x, s.mean,
                              s.inverse_deviation, s.gamma, s.beta, s.relu, partial, dgamma, dbeta);
  }
  if (!needed[0]) return {Tensor(), dgamma, dbeta};
  Tensor dx = reuse_or_empty(context, dy);
  run_kernel<BatchNormBackward>(context, "batch_norm", dy.type(), dy, s.x, s.mean,
                                s.inverse_deviation, s.gamma, s.beta, s.relu, s.constants, dgamma,
                                dbeta, dx);
  return {dx, dgamma, dbeta};
}

Tensor activated(Context& context, Tensor z, Activation activation) {
  if (!is_relu(activation)) return z;
  const Tensor mask = greater(context, z, 0);
  return multiply(context, std::move(z), mask);
}

}  // namespace

BatchNormResult batch_norm(Context& context, const Tensor& x, const Tensor& gamma,
                           const Tensor& beta, double epsilon, Activation activation) {
  check_per_channel(context, "batch_norm", "gamma", gamma, x);
  check_per_channel(context, "batch_norm", "beta", beta, x);
  const int64_t channels = gamma.numel(), rows = x.numel() / std::max<int64_t>(channels, 1);
  if (rows < 2)
    throw shape_error(context, "batch_norm: x is ", x.shape(), ": ", rows,
                      " values for each channel have no variance");
  Tensor y = context.empty(x.shape(), x.type());
  const Shape one{channels};
  const DataType wide = compute_type(x.type());
  Tensor mean = context.empty(one, wide), variance = context.empty(one, wide);
  const Saved saved{x, gamma, beta, mean, context.empty(one, wide), is_relu(activation), false};
  {
    const Tensor partial = context.empty({2, chunk_count(context.device, rows), channels}, wide);
    run_kernel<BatchStatistics>(context, "batch_norm", x.type(), x, epsilon, partial, mean,
                                saved.inverse_deviation, variance);
  }
  normalize(context, saved, y);

  Rule rule = [=](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
    if (inner.tape)
      return composite_gradients(
          inner,
          [&](Context& c) {
            return std::vector{batch_norm_composite(c, x, gamma, beta, epsilon, activation)};
          },
          {x, gamma, beta}, std::move(dy));
    return backward(inner, saved, std::move(dy[0]), needed);
  };
  // Mean 1, squares of deviations 3, normal form 3, maximum 1.
  y = record(context,
             {"batch_norm",
              per_element(x, saved.relu ? 8 : 7),
              {{"epsilon", epsilon}, {"activation", name_of(activation)}}},
             {x, gamma, beta}, std::move(y), std::move(rule));
  return {std::move(y), std::move(mean), std::move(variance)};
}

Tensor batch_norm_evaluate(Context& context, Tensor x, const Tensor& gamma, const Tensor& beta,
                           const Tensor& mean, const Tensor& variance, double epsilon,
                           Activation activation) {
  check_per_channel(context, "batch_norm", "gamma", gamma, x);
  check_per_channel(context, "batch_norm", "beta", beta, x);
  check_per_channel(context, "batch_norm", "mean", mean, x);
  check_per_channel(context, "batch_norm", "variance", variance, x);
  const bool relu = is_relu(activation);
  const Tensor inverse_deviation = context.empty(mean.shape(), mean.type());
  run_kernel<InverseDeviation, float, double>(context, "batch_norm", mean.type(), variance, epsilon,
                                              inverse_deviation);
  Rule rule;
  if (context.tape)
    rule = [=](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
      Gradients result =
          inner.tape ? composite_gradients(
                           inner,
                           [&](Context& c) {
                             return std::vector{batch_norm_evaluate_composite(
                                 c, x, gamma, beta, mean, variance, epsilon, activation)};
                           },
                           {x, gamma, beta}, std::move(dy))
                     : backward(inner, {x, gamma, beta, mean, inverse_deviation, relu, true},
                                std::move(dy[0]), needed);
      result.resize(5);  // none for the statistics
      return result;
    };
  Tensor y = reuse_or_empty(context, x);
  normalize(context, {x.detached(), gamma, beta, mean, inverse_deviation, relu, true}, y);
  return record(context,
                {"batch_norm_evaluate",
                 per_element(x, relu ? 4 : 3),
                 {{"epsilon", epsilon}, {"activation", name_of(activation)}}},
                {x, gamma, beta, mean.detached(), variance.detached()}, std::move(y),
                std::move(rule));
}

Tensor batch_norm_composite(Context& context, const Tensor& x, const Tensor& gamma,
                            const Tensor& beta, double epsilon, Activation activation) {
  Shape one = x.shape();
  for (int axis = 0; axis + 1 < one.rank(); ++axis) one[axis] = 1;
  const double share = static_cast<double>(gamma.numel()) / static_cast<double>(x.numel());
  const auto mean = [&](const Tensor& v) { return scale(context, sum_to(context, v, one), share); };
  const Tensor centered = subtract(context, x, broadcast(context, mean(x), x.shape()));
  const Tensor variance = mean(multiply(context, centered, centered));
  const Tensor inverse = power(context, affine(context, variance, 1, epsilon), -0.5);
  const Tensor normal = multiply(context, centered, broadcast(context, inverse, x.shape()));
  return activated(
      context,
      add(context, multiply(context, normal, broadcast_last(context, gamma, x.shape())),
          broadcast_last(context, beta, x.shape())),
      activation);
}

Tensor batch_norm_evaluate_composite(Context& context, const Tensor& x, const Tensor& gamma,
                                     const Tensor& beta, const Tensor& mean, const Tensor& variance,
                                     double epsilon, Activation activation) {
  const Tensor inverse = power(context, affine(context, variance, 1, epsilon), -0.5);
  const Tensor normal =
      multiply(context, subtract(context, x, broadcast_last(context, mean, x.shape())),
               broadcast_last(context, inverse, x.shape()));
  return activated(
      context,
      add(context, multiply(context, normal, broadcast_last(context, gamma, x.shape())),
          broadcast_last(context, beta, x.shape())),
      activation);
}

}  // namespace py4cast
