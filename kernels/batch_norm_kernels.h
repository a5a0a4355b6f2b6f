#pragma once

#include "kernels/view.h"

namespace py4cast {

// x [rows, channels]. partial [2, chunk_count(rows), channels] receives means and sums of squared
// deviations of the chunks; mean, inverse_deviation and variance (unbiased) [channels].
template <CpuLevel level, typename T>
void batch_statistics_kernel(Cpu<level>, View<const T> x, T epsilon, View<T> partial, View<T> mean,
                             View<T> inverse_deviation, View<T> variance);
template <typename T>
void batch_statistics_kernel(Cuda, View<const T> x, T epsilon, View<T> partial, View<T> mean,
                             View<T> inverse_deviation, View<T> variance);

// inverse_deviation = 1 / sqrt(variance + epsilon)
template <CpuLevel level, typename T>
void inverse_deviation_kernel(Cpu<level>, View<const T> variance, T epsilon,
                              View<T> inverse_deviation);
template <typename T>
void inverse_deviation_kernel(Cuda, View<const T> variance, T epsilon, View<T> inverse_deviation);

// What maps a column to its normal form z = scale (x - mean) + beta.
template <typename T>
struct Columns {
  View<const T> mean, inverse_deviation, gamma, beta;
};

// y = z, or max(z, 0) with relu.
template <CpuLevel level, typename T>
void normalize_kernel(Cpu<level>, View<const T> x, const Columns<T>& columns, bool relu, View<T> y);
template <typename T>
void normalize_kernel(Cuda, View<const T> x, const Columns<T>& columns, bool relu, View<T> y);

// With g = dy (0 where relu gave 0) and h = (x - mean) inverse_deviation:
//   dgamma = sum_r g h,  dbeta = sum_r g
template <CpuLevel level, typename T>
void batch_norm_sums_kernel(Cpu<level>, View<const T> dy, View<const T> x,
                            const Columns<T>& columns, bool relu, View<T> partial, View<T> dgamma,
                            View<T> dbeta);
template <typename T>
void batch_norm_sums_kernel(Cuda, View<const T> dy, View<const T> x, const Columns<T>& columns,
                            bool relu, View<T> partial, View<T> dgamma, View<T> dbeta);
//   dx = gamma inverse_deviation (g - (dbeta + h dgamma) / rows); without the second term if the
//   statistics are constants. dx may be dy.
template <CpuLevel level, typename T>
void batch_norm_backward_kernel(Cpu<level>, View<const T> dy, View<const T> x,
                                const Columns<T>& columns, bool relu, bool constants,
                                View<const T> dgamma, View<const T> dbeta, View<T> dx);
template <typename T>
void batch_norm_backward_kernel(Cuda, View<const T> dy, View<const T> x, const Columns<T>& columns,
                                bool relu, bool constants, View<const T> dgamma,
                                View<const T> dbeta, View<T> dx);

}  // namespace py4cast
