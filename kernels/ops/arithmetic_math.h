// For *.simd.cpp and .cu files: the elementary functions of one element (kernels/ops/arithmetic.h).
#pragma once

#include "kernels/common/vector_math.h"
#include "kernels/ops/arithmetic_kernels.h"

namespace py4cast {
namespace {

PY4CAST_INLINE float raised(float x, float p) {
  return __builtin_powf(x, p);
}
PY4CAST_INLINE double raised(double x, double p) {
  return __builtin_pow(x, p);
}
PY4CAST_INLINE float logarithm(float x) {
  return __builtin_logf(x);
}
PY4CAST_INLINE double logarithm(double x) {
  return __builtin_log(x);
}

template <Binary op, typename C>
PY4CAST_INLINE C combined(C a, C b) {
  if constexpr (op == Binary::add) return a + b;
  if constexpr (op == Binary::subtract) return a - b;
  if constexpr (op == Binary::multiply) return a * b;
  if constexpr (op == Binary::divide) return a / b;
}

template <Unary op, typename C>
PY4CAST_INLINE C mapped(C x, C p, C q) {
  if constexpr (op == Unary::affine) return p * x + q;
  if constexpr (op == Unary::power) return raised(x, p);
  if constexpr (op == Unary::exponential) return exponential(x);
  if constexpr (op == Unary::logarithm) return logarithm(x);
  if constexpr (op == Unary::absolute) return x < 0 ? -x : x;
  if constexpr (op == Unary::sign) return static_cast<C>((x > 0) - (x < 0));
  if constexpr (op == Unary::tanh) return hyperbolic_tangent(x);
  if constexpr (op == Unary::erf) return error_function(x);
  if constexpr (op == Unary::greater) return x > p ? C(1) : C(0);
  if constexpr (op == Unary::is_number) return x == x ? C(1) : C(0);
  if constexpr (op == Unary::without_nan) return x == x ? x : C(0);
  if constexpr (op == Unary::fill) return p;
}

// Call f.template operator()<op>().
template <typename F>
inline void with_binary(Binary op, F f) {
  switch (op) {
    case Binary::add:
      return f.template operator()<Binary::add>();
    case Binary::subtract:
      return f.template operator()<Binary::subtract>();
    case Binary::multiply:
      return f.template operator()<Binary::multiply>();
    case Binary::divide:
      return f.template operator()<Binary::divide>();
  }
}
template <typename F>
inline void with_unary(Unary op, F f) {
  switch (op) {
    case Unary::affine:
      return f.template operator()<Unary::affine>();
    case Unary::power:
      return f.template operator()<Unary::power>();
    case Unary::exponential:
      return f.template operator()<Unary::exponential>();
    case Unary::logarithm:
      return f.template operator()<Unary::logarithm>();
    case Unary::absolute:
      return f.template operator()<Unary::absolute>();
    case Unary::sign:
      return f.template operator()<Unary::sign>();
    case Unary::tanh:
      return f.template operator()<Unary::tanh>();
    case Unary::erf:
      return f.template operator()<Unary::erf>();
    case Unary::greater:
      return f.template operator()<Unary::greater>();
    case Unary::is_number:
      return f.template operator()<Unary::is_number>();
    case Unary::without_nan:
      return f.template operator()<Unary::without_nan>();
    case Unary::fill:
      return f.template operator()<Unary::fill>();
  }
}

}  // namespace
}  // namespace py4cast
