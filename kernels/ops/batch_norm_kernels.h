#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// x [rows, channels]. partial [2, chunk_count(device, rows), channels] receives means and sums of
// squared deviations of the chunks; mean, inverse_deviation and variance (unbiased) [channels].
template <CpuLevel level, typename T>
void batch_statistics_kernel(Cpu<level>, View<const T> x, Compute<T> epsilon,
                             View<Compute<T>> partial, View<Compute<T>> mean,
                             View<Compute<T>> inverse_deviation, View<Compute<T>> variance);
template <typename T>
void batch_statistics_kernel(Cuda device, View<const T> x, Compute<T> epsilon,
                             View<Compute<T>> partial, View<Compute<T>> mean,
                             View<Compute<T>> inverse_deviation, View<Compute<T>> variance);

// inverse_deviation = 1 / sqrt(variance + epsilon)
template <CpuLevel level, typename C>
void inverse_deviation_kernel(Cpu<level>, View<const C> variance, C epsilon,
                              View<C> inverse_deviation);
template <typename C>
void inverse_deviation_kernel(Cuda device, View<const C> variance, C epsilon,
                              View<C> inverse_deviation);

// What maps a column to its normal form z = scale (x - mean) + beta.
template <typename C>
struct Columns {
  View<const C> mean, inverse_deviation, gamma, beta;
};

// y = z, or max(z, 0) with relu.
template <CpuLevel level, typename T>
void normalize_kernel(Cpu<level>, View<const T> x, const Columns<Compute<T>>& columns, bool relu,
                      View<T> y);
template <typename T>
void normalize_kernel(Cuda device, View<const T> x, const Columns<Compute<T>>& columns, bool relu,
                      View<T> y);

// With g = dy (0 where relu gave 0) and h = (x - mean) inverse_deviation:
//   dgamma = sum_r g h,  dbeta = sum_r g
template <CpuLevel level, typename T>
void batch_norm_sums_kernel(Cpu<level>, View<const T> dy, View<const T> x,
                            const Columns<Compute<T>>& columns, bool relu, View<Compute<T>> partial,
                            View<Compute<T>> dgamma, View<Compute<T>> dbeta);
template <typename T>
void batch_norm_sums_kernel(Cuda device, View<const T> dy, View<const T> x,
                            const Columns<Compute<T>>& columns, bool relu, View<Compute<T>> partial,
                            View<Compute<T>> dgamma, View<Compute<T>> dbeta);
//   dx = gamma inverse_deviation (g - (dbeta + h dgamma) / rows); without the second term if the
//   statistics are constants. dx may be dy.
template <CpuLevel level, typename T>
void batch_norm_backward_kernel(Cpu<level>, View<const T> dy, View<const T> x,
                                const Columns<Compute<T>>& columns, bool relu, bool constants,
                                View<const Compute<T>> dgamma, View<const Compute<T>> dbeta,
                                View<T> dx);
template <typename T>
void batch_norm_backward_kernel(Cuda device, View<const T> dy, View<const T> x,
                                const Columns<Compute<T>>& columns, bool relu, bool constants,
                                View<const Compute<T>> dgamma, View<const Compute<T>> dbeta,
                                View<T> dx);

}  // namespace py4cast
