// For *.simd.cpp and .cu files: exp, tanh, erf and log(1 + u) as straight arithmetic, so that loops
// over them become vector code (a call of the mathematical library in a loop stays scalar). f32: at
// most 2.5 ulp, infinities and NaN as IEEE asks; polynomials fitted by exchange (Remez) on the
// stated ranges. f64, used by tests, calls the library.
#pragma once

#include "kernels/common/both_devices.h"

namespace py4cast {
namespace {

// float and vectors of it (vector.h) share the functions below that are templates. Numbers as integers:
template <typename V>
struct IntegersOf {
  using type = decltype(V{} < V{});
};
template <>
struct IntegersOf<float> {
  using type = int32_t;
};
template <typename V>
using Integers = typename IntegersOf<V>::type;

// r of x = n ln(2) + r
template <typename V>
PY4CAST_INLINE V split(V x, V n) {
  return (x - n * 0.693145752f) - n * 1.42860677e-06f;
}
// exp(r), |r| <= ln(2) / 2
template <typename V>
PY4CAST_INLINE V exponential_near_zero(V r) {
  const V p =
      (((1.395060237e-03f * r + 8.368953504e-03f) * r + 4.166620414e-02f) * r + 1.666651831e-01f) *
          r +
      5.000000096e-01f;
  return 1.0f + (r + r * r * p);
}
// exp(x) = 2^n exp(r), |r| <= ln(2) / 2: exp(r), and n + bias in the lowest bits of a number.
template <typename V>
struct PowerOfE {
  V value;
  Integers<V> power;
};
template <typename V>
PY4CAST_INLINE PowerOfE<V> power_of_e(V x, float bias) {
  const float magic = 12582912.0f + bias;  // 1.5 * 2^23: adding it rounds to a whole number
  const V shifted = x * 1.44269504f + magic, n = shifted - magic;
  return {exponential_near_zero(split(x, n)), __builtin_bit_cast(Integers<V>, shifted)};
}
template <typename V>
PY4CAST_INLINE V with_exponent(Integers<V> biased) {
  return __builtin_bit_cast(V, biased << 23);
}
// 2^n goes in two factors, for results that are not normal.
PY4CAST_INLINE float exponential(float x) {
  const PowerOfE<float> e = power_of_e(x < -105.0f ? -105.0f : (x > 89.0f ? 89.0f : x), 0);
  const int32_t whole = e.power - 0x4b400000, half = whole >> 1;
  return e.value * with_exponent<float>(half + 127) * with_exponent<float>(whole - half + 127);
}
template <typename V>
PY4CAST_INLINE V negative_magnitude(V x) {
  return x < 0.0f ? x : -x;
}
PY4CAST_INLINE float negative_magnitude(float x) {
  return -__builtin_fabsf(x);
}
// exp(-|x|), but 0 where that is not normal.
template <typename V>
PY4CAST_INLINE V exponential_decay(V x) {
  const V negative = negative_magnitude(x), least = V{} - 88.0f;
  const PowerOfE<V> e = power_of_e(negative < least ? least : negative, 127);
  return e.value * with_exponent<V>(e.power);
}
PY4CAST_INLINE double exponential(double x) {
  return __builtin_exp(x);
}
PY4CAST_INLINE double exponential_decay(double x) {
  return __builtin_exp(-__builtin_fabs(x));
}

PY4CAST_INLINE float magnitude(float x) {
  return __builtin_fabsf(x);
}
PY4CAST_INLINE double magnitude(double x) {
  return __builtin_fabs(x);
}

// |x| < 0.625: x + x^3 P(x^2); beyond: 1 - 2 / (exp(2 |x|) + 1).
PY4CAST_INLINE float hyperbolic_tangent(float x) {
  const float a = magnitude(x), z = x * x;
  const float p =
      (((-5.714687077e-03f * z + 2.064857413e-02f) * z - 5.374291353e-02f) * z + 1.333148471e-01f) *
          z -
      3.333328370e-01f;
  const float near_zero = x + x * (z * p);
  const float far = __builtin_copysignf(1.0f - 2.0f / (exponential(a + a) + 1.0f), x);
  return a < 0.625f ? near_zero : far;
}
PY4CAST_INLINE double hyperbolic_tangent(double x) {
  return __builtin_tanh(x);
}

// |x| < 1: x + x P(x^2); beyond: 1 - exp(Q(|x|)), Q = log erfc.
PY4CAST_INLINE float error_function(float x) {
  const float a = magnitude(x), z = x * x, b = a > 4.0f ? 4.0f : a;
  float p = 7.885851618e-05f * z - 8.019944489e-04f;
  p = p * z + 5.189443863e-03f;
  p = p * z - 2.685440204e-02f;
  p = p * z + 1.128359929e-01f;
  p = p * z - 3.761262707e-01f;
  p = p * z + 1.283791659e-01f;
  float q = -2.168675000e-05f * b + 4.413351339e-04f;
  q = q * b - 4.204555378e-03f;
  q = q * b + 2.520823825e-02f;
  q = q * b - 1.084185464e-01f;
  q = q * b - 6.332199236e-01f;
  q = q * b - 1.129578408e+00f;
  q = q * b + 1.880365022e-04f;
  const float near_zero = x + x * p, far = __builtin_copysignf(1.0f - exponential(q), x);
  return a < 1.0f ? near_zero : far;
}
PY4CAST_INLINE double error_function(double x) {
  return __builtin_erf(x);
}

// log(1 + u), 0 <= u <= 1: u + u^2 P(u).
PY4CAST_INLINE float log_one_plus(float u) {
  float p = 2.133154640e-03f * u - 1.393073286e-02f;
  p = p * u + 4.261259749e-02f;
  p = p * u - 8.380974419e-02f;
  p = p * u + 1.251877945e-01f;
  p = p * u - 1.615167967e-01f;
  p = p * u + 1.990376907e-01f;
  p = p * u - 2.498944168e-01f;
  p = p * u + 3.333275229e-01f;
  p = p * u - 4.999998885e-01f;
  return u + u * u * p;
}
PY4CAST_INLINE double log_one_plus(double u) {
  return __builtin_log1p(u);
}

// 1 / (1 + exp(-x)) without overflow and without cancellation.
template <typename T>
PY4CAST_INLINE T logistic(T x) {
  const T e = exponential_decay(x);
  return (x < T{} ? e : T{} + 1) / (1 + e);
}

}  // namespace
}  // namespace py4cast
