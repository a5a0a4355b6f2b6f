#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// x [rows, channels]. partial [2, chunk_count(device, rows), channels] receives means and sums of
// squared deviations of the chunks; mean, inverse_deviation and variance (unbiased) [channels].
template <typename T>
struct BatchStatistics {
  View<const T> x;
  Compute<T> epsilon;
  View<Compute<T>> partial, mean, inverse_deviation, variance;
  PY4CAST_RUN
};

// inverse_deviation = 1 / sqrt(variance + epsilon)
template <typename C>
struct InverseDeviation {
  View<const C> variance;
  C epsilon;
  View<C> inverse_deviation;
  PY4CAST_RUN
};

// What maps a column to its normal form z = gamma inverse_deviation (x - mean) + beta.
template <typename C>
struct Columns {
  View<const C> mean, inverse_deviation, gamma, beta;
};

// y = z, or max(z, 0) with relu.
template <typename T>
struct Normalize {
  View<const T> x;
  Columns<Compute<T>> columns;
  bool relu;
  View<T> y;
  PY4CAST_RUN
};

// With g = dy (0 where relu gave 0) and h = (x - mean) inverse_deviation:
//   dgamma = sum_r g h,  dbeta = sum_r g
// partial as above.
template <typename T>
struct BatchNormSums {
  View<const T> dy, x;
  Columns<Compute<T>> columns;
  bool relu;
  View<Compute<T>> partial, dgamma, dbeta;
  PY4CAST_RUN
};

//   dx = gamma inverse_deviation (g - (dbeta + h dgamma) / rows)
// without the second term if the statistics are constants. dx may be dy.
template <typename T>
struct BatchNormBackward {
  View<const T> dy, x;
  Columns<Compute<T>> columns;
  bool relu, constants;
  View<const Compute<T>> dgamma, dbeta;
  View<T> dx;
  PY4CAST_RUN
};

}  // namespace py4cast
