#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// x, y [rows, channels]; gamma, beta [channels]; mean and inverse_deviation = 1 / (sqrt(variance +
// inside) + outside) [rows] are kept for the backward pass.
template <typename T>
struct LayerNormForward {
  View<const T> x;
  View<const Compute<T>> gamma, beta;
  Compute<T> inside, outside;
  View<T> y;
  View<Compute<T>> mean, inverse_deviation;
  PY4CAST_RUN
};

// With g = gamma dy, h = (x - mean) inverse_deviation and root = 1 / inverse_deviation - outside:
//   dx = inverse_deviation (g - mean_c(g) - (x - mean) / root mean_c(g h)),  dgamma = sum_r dy h,
//   dbeta = sum_r dy
// partial [2, chunk_count(device, rows), channels] receives the chunks' sums for dgamma and dbeta.
template <typename T>
struct LayerNormBackward {
  View<const T> dy, x;
  View<const Compute<T>> gamma, mean, inverse_deviation;
  Compute<T> outside;
  View<T> dx;
  View<Compute<T>> dgamma, dbeta, partial;
  PY4CAST_RUN
};

}  // namespace py4cast
