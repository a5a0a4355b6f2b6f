#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// x, y [rows, channels]; gamma, beta [channels]; mean, inverse_deviation [rows] are kept for the
// backward pass.
template <CpuLevel level, typename T>
void layer_norm_kernel(Cpu<level>, View<const T> x, View<const Compute<T>> gamma,
                       View<const Compute<T>> beta, Compute<T> epsilon, View<T> y,
                       View<Compute<T>> mean, View<Compute<T>> inverse_deviation);
template <typename T>
void layer_norm_kernel(Cuda device, View<const T> x, View<const Compute<T>> gamma,
                       View<const Compute<T>> beta, Compute<T> epsilon, View<T> y,
                       View<Compute<T>> mean, View<Compute<T>> inverse_deviation);

// With g = gamma dy and h = (x - mean) inverse_deviation:
//   dx = inverse_deviation (g - mean_c(g) - h mean_c(g h)),  dgamma = sum_r dy h,  dbeta = sum_r dy
// partial [2, chunk_count(device, rows), channels] receives the chunks' sums for dgamma and dbeta.
template <CpuLevel level, typename T>
void layer_norm_backward_kernel(Cpu<level>, View<const T> dy, View<const T> x,
                                View<const Compute<T>> gamma, View<const Compute<T>> mean,
                                View<const Compute<T>> inverse_deviation, View<T> dx,
                                View<Compute<T>> dgamma, View<Compute<T>> dbeta,
                                View<Compute<T>> partial);
template <typename T>
void layer_norm_backward_kernel(Cuda device, View<const T> dy, View<const T> x,
                                View<const Compute<T>> gamma, View<const Compute<T>> mean,
                                View<const Compute<T>> inverse_deviation, View<T> dx,
                                View<Compute<T>> dgamma, View<Compute<T>> dbeta,
                                View<Compute<T>> partial);

}  // namespace py4cast
