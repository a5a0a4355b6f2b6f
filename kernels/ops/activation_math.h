// For *.simd.cpp and .cu files: the activations of one element and their slopes
// (kernels/ops/activation.h), to be fused into other kernels.
#pragma once

#include "kernels/common/vector_math.h"
#include "kernels/ops/activation_kind.h"

namespace py4cast {
namespace {

template <typename T>
inline constexpr T selu_scale = static_cast<T>(1.0507009873554804934193349852946);
template <typename T>
inline constexpr T selu_alpha = static_cast<T>(1.6732632423543772848170429916717);

template <typename T>
PY4CAST_INLINE T clamped(T x, T low, T high) {
  return x < low ? low : (x > high ? high : x);
}

template <Activation kind, typename T>
PY4CAST_INLINE T activated(T x) {
  if constexpr (kind == Activation::identity) return x;
  if constexpr (kind == Activation::relu) return x < 0 ? T(0) : x;
  if constexpr (kind == Activation::leaky_relu) return x > 0 ? x : T(0.01) * x;
  if constexpr (kind == Activation::elu) return x > 0 ? x : exponential(x) - 1;
  if constexpr (kind == Activation::selu)
    return selu_scale<T> * (x > 0 ? x : selu_alpha<T> * (exponential(x) - 1));
  if constexpr (kind == Activation::gelu)
    return T(0.5) * x * (1 + error_function(x * T(0.70710678118654752440)));
  if constexpr (kind == Activation::silu) return x * logistic(x);
  if constexpr (kind == Activation::sigmoid) return logistic(x);
  if constexpr (kind == Activation::tanh) return hyperbolic_tangent(x);
  if constexpr (kind == Activation::softplus)
    return x > 20 ? x : (x > 0 ? x : T(0)) + log_one_plus(exponential(-magnitude(x)));
  if constexpr (kind == Activation::hardtanh) return clamped<T>(x, -1, 1);
  if constexpr (kind == Activation::relu6) return clamped<T>(x, 0, 6);
}

// The derivative, from the output where that determines it (slope_from_output), else from the
// input.
template <Activation kind, typename T>
PY4CAST_INLINE T slope(T saved) {
  const T x = saved, y = saved;
  if constexpr (kind == Activation::identity) return 1;
  if constexpr (kind == Activation::relu) return y > 0 ? T(1) : T(0);
  if constexpr (kind == Activation::leaky_relu) return y > 0 ? T(1) : T(0.01);
  if constexpr (kind == Activation::elu) return y > 0 ? T(1) : y + 1;
  if constexpr (kind == Activation::selu)
    return y > 0 ? selu_scale<T> : y + selu_scale<T> * selu_alpha<T>;
  if constexpr (kind == Activation::gelu)
    return T(0.5) * (1 + error_function(x * T(0.70710678118654752440))) +
           x * T(0.39894228040143267794) * exponential(T(-0.5) * x * x);
  if constexpr (kind == Activation::silu) {
    const T s = logistic(x);
    return s * (1 + x * (1 - s));
  }
  if constexpr (kind == Activation::sigmoid) return y * (1 - y);
  if constexpr (kind == Activation::tanh) return 1 - y * y;
  if constexpr (kind == Activation::softplus) return x > 20 ? T(1) : logistic(x);
  if constexpr (kind == Activation::hardtanh) return y > -1 && y < 1 ? T(1) : T(0);
  if constexpr (kind == Activation::relu6) return y > 0 && y < 6 ? T(1) : T(0);
}

// Calls f.template operator()<kind>().
template <typename F>
[[gnu::always_inline]] inline void with_activation(Activation kind, F f) {
  switch (kind) {
    case Activation::identity:
      return f.template operator()<Activation::identity>();
    case Activation::relu:
      return f.template operator()<Activation::relu>();
    case Activation::leaky_relu:
      return f.template operator()<Activation::leaky_relu>();
    case Activation::elu:
      return f.template operator()<Activation::elu>();
    case Activation::selu:
      return f.template operator()<Activation::selu>();
    case Activation::gelu:
      return f.template operator()<Activation::gelu>();
    case Activation::silu:
      return f.template operator()<Activation::silu>();
    case Activation::sigmoid:
      return f.template operator()<Activation::sigmoid>();
    case Activation::tanh:
      return f.template operator()<Activation::tanh>();
    case Activation::softplus:
      return f.template operator()<Activation::softplus>();
    case Activation::hardtanh:
      return f.template operator()<Activation::hardtanh>();
    case Activation::relu6:
      return f.template operator()<Activation::relu6>();
  }
}

}  // namespace
}  // namespace py4cast
