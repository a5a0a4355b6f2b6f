#include "kernels/ops/activation.h"

#include <algorithm>
#include <array>
#include <numbers>

#include "kernels/common/dispatch.h"
#include "kernels/ops/activation_kernels.h"
#include "kernels/ops/arithmetic.h"

namespace py4cast {
namespace {

constexpr std::array<std::string_view, 12> names{"Identity", "ReLU",     "LeakyReLU", "ELU",
                                                 "SELU",     "GELU",     "SiLU",      "Sigmoid",
                                                 "Tanh",     "Softplus", "Hardtanh",  "ReLU6"};
constexpr double selu_scale = 1.0507009873554804934193349852946,
                 selu_alpha = 1.6732632423543772848170429916717, leak = 0.01;

// Whether the output determines the slope; then x need not be kept.
bool slope_from_output(Activation kind) {
  return kind != Activation::gelu && kind != Activation::silu && kind != Activation::softplus;
}

Tensor sigmoid(Context& context, const Tensor& x) {
  return affine(context, hyperbolic_tangent(context, scale(context, x, 0.5)), 0.5, 0.5);
}

// on where the constant `mask` is 1, off where it is 0.
Tensor choose(Context& context, const Tensor& mask, const Tensor& on, const Tensor& off) {
  return add(context, multiply(context, mask, on),
             multiply(context, affine(context, mask, -1, 1), off));
}

Tensor less(Context& context, const Tensor& x, double bound) {
  return greater(context, scale(context, x.detached(), -1), -bound);
}

// (1 + erf(x / sqrt 2)) / 2
Tensor normal_distribution(Context& context, const Tensor& x) {
  return affine(context, error_function(context, scale(context, x, std::numbers::sqrt2 / 2)), 0.5,
                0.5);
}

Tensor clamped(Context& context, const Tensor& x, double low, double high) {
  const Tensor above_low = greater(context, x, low), below_high = less(context, x, high);
  const Tensor inside = multiply(context, above_low, below_high);
  return add(context, multiply(context, x, inside),
             add(context, affine(context, above_low, -low, low),
                 affine(context, below_high, -high, high)));
}

// f'(saved), differentiable in `saved`.
Tensor slope_composite(Context& context, const Tensor& saved, Activation kind) {
  const Tensor positive = greater(context, saved, 0);
  switch (kind) {
    case Activation::identity:
      return full(context, saved.shape(), saved.type(), 1);
    case Activation::relu:
      return positive;
    case Activation::leaky_relu:
      return affine(context, positive, 1 - leak, leak);
    case Activation::elu:
      return choose(context, positive, full(context, saved.shape(), saved.type(), 1),
                    affine(context, saved, 1, 1));
    case Activation::selu:
      return choose(context, positive, full(context, saved.shape(), saved.type(), selu_scale),
                    affine(context, saved, 1, selu_scale * selu_alpha));
    case Activation::gelu: {
      const Tensor square = multiply(context, saved, saved);
      const Tensor bell = scale(context, exponential(context, scale(context, square, -0.5)),
                                std::numbers::inv_sqrtpi / std::numbers::sqrt2);
      return add(context, normal_distribution(context, saved), multiply(context, saved, bell));
    }
    case Activation::silu: {
      const Tensor s = sigmoid(context, saved);
      const Tensor rest = multiply(context, saved, affine(context, s, -1, 1));
      return multiply(context, s, affine(context, rest, 1, 1));
    }
    case Activation::sigmoid:
      return multiply(context, saved, affine(context, saved, -1, 1));
    case Activation::tanh:
      return affine(context, multiply(context, saved, saved), -1, 1);
    case Activation::softplus:
      return choose(context, greater(context, saved, 20),
                    full(context, saved.shape(), saved.type(), 1), sigmoid(context, saved));
    case Activation::hardtanh:
      return multiply(context, greater(context, saved, -1), less(context, saved, 1));
    case Activation::relu6:
      return multiply(context, positive, less(context, saved, 6));
  }
  return {};
}

}  // namespace

Tensor activation(Context& context, Tensor x, Activation kind) {
  if (kind == Activation::identity) return x;
  // What the rule keeps is decided before x's memory may be taken over.
  const bool tracked = context.tape && context.tape->tracks(x);
  const auto saved = std::make_shared<Tensor>();
  if (tracked && !slope_from_output(kind)) *saved = x;
  Tensor y = reuse_or_empty(context, x);
  on_device<float, double, bfloat16>(context, "activation", x.type(), [&](auto device, auto type) {
    using T = typename decltype(type)::type;
    activation_kernel(device, kind, view<const T>(x), view<T>(y));
  });
  if (!tracked) return y;
  Tensor result = record(context, {"activation"}, {x}, std::move(y),
                         [saved, kind](Context& inner, Gradients dy, const Needed&) -> Gradients {
                           if (inner.tape)
                             return {multiply(inner, dy[0], slope_composite(inner, *saved, kind))};
                           Tensor dx = reuse_or_empty(inner, dy[0]);
                           on_device<float, double, bfloat16>(
                               inner, "activation", dx.type(), [&](auto device, auto type) {
                                 using T = typename decltype(type)::type;
                                 activation_backward_kernel(device, kind, view<const T>(*saved),
                                                            view<const T>(dy[0]), view<T>(dx));
                               });
                           return {dx};
                         });
  if (slope_from_output(kind)) *saved = result;  // with its variable, for second derivatives
  return result;
}

Tensor activation_composite(Context& context, const Tensor& x, Activation kind) {
  const Tensor positive = greater(context, x, 0);
  const Tensor negative_part = multiply(context, x, affine(context, positive, -1, 1));
  const auto elu = [&](double alpha) {
    return choose(context, positive, x,
                  affine(context, exponential(context, negative_part), alpha, -alpha));
  };
  switch (kind) {
    case Activation::identity:
      return x;
    case Activation::relu:
      return multiply(context, x, positive);
    case Activation::leaky_relu:
      return multiply(context, x, affine(context, positive, 1 - leak, leak));
    case Activation::elu:
      return elu(1);
    case Activation::selu:
      return scale(context, elu(selu_alpha), selu_scale);
    case Activation::gelu:
      return multiply(context, x, normal_distribution(context, x));
    case Activation::silu:
      return multiply(context, x, sigmoid(context, x));
    case Activation::sigmoid:
      return sigmoid(context, x);
    case Activation::tanh:
      return hyperbolic_tangent(context, x);
    case Activation::softplus: {
      const Tensor linear = greater(context, x, 20);
      const Tensor rest = multiply(context, x, affine(context, linear, -1, 1));
      return choose(context, linear, x,
                    logarithm(context, affine(context, exponential(context, rest), 1, 1)));
    }
    case Activation::hardtanh:
      return clamped(context, x, -1, 1);
    case Activation::relu6:
      return clamped(context, x, 0, 6);
  }
  return {};
}

std::string_view name_of(Activation kind) {
  return names[static_cast<size_t>(kind)];
}

Activation activation_from_name(const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw Error(ErrorKind::configuration, "there is no activation '", name, "'; the nearest is '",
                nearest_name(name, {names.begin(), names.end()}), "'");
  return static_cast<Activation>(found - names.begin());
}

}  // namespace py4cast
