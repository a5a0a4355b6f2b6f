#pragma once

#include "kernels/common/view.h"

namespace py4cast {

enum class Binary { add, subtract, multiply, divide };
enum class Unary {
  affine,
  power,
  exponential,
  logarithm,
  absolute,
  sign,
  tanh,
  erf,
  greater,
  is_number,
  without_nan,
  fill
};

// y[i] = a[i] op b[i]; y may be a or b.
template <CpuLevel level, typename T>
void binary_kernel(Cpu<level>, Binary op, View<const T> a, View<const T> b, View<T> y);
template <typename T>
void binary_kernel(Cuda, Binary op, View<const T> a, View<const T> b, View<T> y);

// y[i] = f(x[i]; p, q); y may be x.
template <CpuLevel level, typename T>
void unary_kernel(Cpu<level>, Unary op, View<const T> x, double p, double q, View<T> y);
template <typename T>
void unary_kernel(Cuda, Unary op, View<const T> x, double p, double q, View<T> y);

}  // namespace py4cast
