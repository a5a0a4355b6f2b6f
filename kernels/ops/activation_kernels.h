#pragma once

#include "kernels/common/view.h"
#include "kernels/ops/activation_kind.h"

namespace py4cast {

// y[i] = f(x[i]); y may be x.
template <CpuLevel level, typename T>
void activation_kernel(Cpu<level>, Activation kind, View<const T> x, View<T> y);
template <typename T>
void activation_kernel(Cuda, Activation kind, View<const T> x, View<T> y);

// dx[i] = dy[i] f'(saved[i]), saved: see slope() in activation_math.h; dx may be dy.
template <CpuLevel level, typename T>
void activation_backward_kernel(Cpu<level>, Activation kind, View<const T> saved, View<const T> dy,
                                View<T> dx);
template <typename T>
void activation_backward_kernel(Cuda, Activation kind, View<const T> saved, View<const T> dy,
                                View<T> dx);

}  // namespace py4cast
