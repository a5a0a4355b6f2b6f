#pragma once

#include <span>
#include <utility>

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

// sum[i][k] += x[i][k]: of at most most_pairs tensors in one launch. On a GPU alone.
constexpr int most_pairs = 96;
template <typename T>
struct AddMany {
  std::span<const std::pair<View<T>, View<const T>>> pairs;
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
