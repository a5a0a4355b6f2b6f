#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// prediction, target [items, points, features], mask [points], weights [features]; loss [items];
// factor [items, features] = weights / n, for the backward pass. partial [items,
// chunk_count(device, points), 2, features].
template <CpuLevel level, typename T>
void weighted_loss_kernel(Cpu<level>, bool squared, View<const T> prediction, View<const T> target,
                          View<const T> mask, View<const T> weights, View<double> partial,
                          View<T> loss, View<T> factor);
template <typename T>
void weighted_loss_kernel(Cuda device, bool squared, View<const T> prediction, View<const T> target,
                          View<const T> mask, View<const T> weights, View<double> partial,
                          View<T> loss, View<T> factor);

// dprediction[l, s, f] = dloss[l] mask[s] factor[l, f] e'(d), 0 where the target is NaN.
template <CpuLevel level, typename T>
void weighted_loss_backward_kernel(Cpu<level>, bool squared, View<const T> dloss,
                                   View<const T> prediction, View<const T> target,
                                   View<const T> mask, View<const T> factor, View<T> dprediction);
template <typename T>
void weighted_loss_backward_kernel(Cuda device, bool squared, View<const T> dloss,
                                   View<const T> prediction, View<const T> target,
                                   View<const T> mask, View<const T> factor, View<T> dprediction);

}  // namespace py4cast
