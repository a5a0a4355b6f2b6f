#include "kernels/ops/batch_norm.h"

#include <algorithm>

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
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

template <typename C>
Columns<C> columns(const Saved& s) {
  return {view<const C>(s.mean), view<const C>(s.inverse_deviation), view<const C>(s.gamma),
          view<const C>(s.beta)};
}

void normalize(Context& context, const Saved& s, const Tensor& y) {
  on_device<float, double, bfloat16>(
      context, "batch_norm", s.x.type(), [&](auto device, auto type) {
        using T = typename decltype(type)::type;
        using C = Compute<T>;
        normalize_kernel(device, view<const T>(s.x), columns<C>(s), s.relu, view<T>(y));
      });
}

Gradients backward(Context& context, const Saved& s, Tensor dy, const Needed& needed) {
  const int64_t channels = s.gamma.numel();
  const DataType wide = compute_type(dy.type());
  Tensor dgamma = context.empty({channels}, wide), dbeta = context.empty({channels}, wide);
  {
    const Tensor partial =
        context.empty({2, chunk_count(context.device, dy.numel() / channels), channels}, wide);
    on_device<float, double, bfloat16>(
        context, "batch_norm", dy.type(), [&](auto device, auto type) {
          using T = typename decltype(type)::type;
          using C = Compute<T>;
          batch_norm_sums_kernel(device, view<const T>(dy), view<const T>(s.x), columns<C>(s),
                                 s.relu, view<C>(partial), view<C>(dgamma), view<C>(dbeta));
        });
  }
  if (!needed[0]) return {Tensor(), dgamma, dbeta};
  Tensor dx = reuse_or_empty(context, dy);
  on_device<float, double, bfloat16>(context, "batch_norm", dy.type(), [&](auto device, auto type) {
    using T = typename decltype(type)::type;
    using C = Compute<T>;
    batch_norm_backward_kernel(device, view<const T>(dy), view<const T>(s.x), columns<C>(s), s.relu,
                               s.constants, view<const C>(dgamma), view<const C>(dbeta),
                               view<T>(dx));
  });
  return {dx, dgamma, dbeta};
}

Tensor along_rows(Context& context, const Tensor& v, const Tensor& x) {
  Shape shape = x.shape();
  for (int axis = 0; axis + 1 < shape.rank(); ++axis) shape[axis] = 1;
  return broadcast(context, reshape(context, v, shape), x.shape());
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
    on_device<float, double, bfloat16>(
        context, "batch_norm", x.type(), [&](auto device, auto type) {
          using T = typename decltype(type)::type;
          using C = Compute<T>;
          batch_statistics_kernel(device, view<const T>(x), static_cast<C>(epsilon),
                                  view<C>(partial), view<C>(mean), view<C>(saved.inverse_deviation),
                                  view<C>(variance));
        });
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
  y = record(context, {"batch_norm"}, {x, gamma, beta}, std::move(y), std::move(rule));
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
  on_device<float, double>(context, "batch_norm", mean.type(), [&](auto device, auto type) {
    using C = typename decltype(type)::type;
    inverse_deviation_kernel(device, view<const C>(variance), static_cast<C>(epsilon),
                             view<C>(inverse_deviation));
  });
  Rule rule;
  if (context.tape)
    rule = [=](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
      if (inner.tape)
        return composite_gradients(
            inner,
            [&](Context& c) {
              return std::vector{batch_norm_evaluate_composite(c, x, gamma, beta, mean, variance,
                                                               epsilon, activation)};
            },
            {x, gamma, beta}, std::move(dy));
      return backward(inner, {x, gamma, beta, mean, inverse_deviation, relu, true},
                      std::move(dy[0]), needed);
    };
  Tensor y = reuse_or_empty(context, x);
  normalize(context, {x.detached(), gamma, beta, mean, inverse_deviation, relu, true}, y);
  return record(context, {"batch_norm"}, {x, gamma, beta}, std::move(y), std::move(rule));
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
  return activated(context,
                   add(context, multiply(context, normal, along_rows(context, gamma, x)),
                       along_rows(context, beta, x)),
                   activation);
}

Tensor batch_norm_evaluate_composite(Context& context, const Tensor& x, const Tensor& gamma,
                                     const Tensor& beta, const Tensor& mean, const Tensor& variance,
                                     double epsilon, Activation activation) {
  const Tensor inverse = power(context, affine(context, variance, 1, epsilon), -0.5);
  const Tensor normal = multiply(context, subtract(context, x, along_rows(context, mean, x)),
                                 along_rows(context, inverse, x));
  return activated(context,
                   add(context, multiply(context, normal, along_rows(context, gamma, x)),
                       along_rows(context, beta, x)),
                   activation);
}

}  // namespace py4cast
