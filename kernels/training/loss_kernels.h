#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// prediction, target [items, points, features], mask [points], weights [features]; loss [items];
// factor [items, features] = weights / n, for the backward pass.
// partial [items, chunk_count(device, points), 2, features].
template <typename T>
struct WeightedLoss {
  bool squared;
  View<const T> prediction, target, mask, weights;
  View<double> partial;
  View<T> loss, factor;
  PY4CAST_RUN
};

// dprediction[l, s, f] = dloss[l] mask[s] factor[l, f] e'(d), 0 where the target is NaN.
template <typename T>
struct WeightedLossBackward {
  bool squared;
  View<const T> dloss, prediction, target, mask, factor;
  View<T> dprediction;
  PY4CAST_RUN
};

}  // namespace py4cast
