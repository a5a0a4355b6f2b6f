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
template <typename T>
struct BinaryMap {
  Binary op;
  View<const T> a, b;
  View<T> y;
  PY4CAST_RUN
};

// y[i] = f(x[i]; p, q); y may be x.
template <typename T>
struct UnaryMap {
  Unary op;
  View<const T> x;
  double p, q;
  View<T> y;
  PY4CAST_RUN
};

}  // namespace py4cast
