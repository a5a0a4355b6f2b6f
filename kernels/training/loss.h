// The training loss.
#pragma once

#include "engine/tape.h"

namespace py4cast {

enum class LossKind {
  squared,  // e(d) = d^2
  absolute  // e(d) = |d|, derivative 0 at 0
};

// result[...] = sum_f weights[f] / n[..., f]
//                     sum_s mask[s] e(prediction[..., s, f] - target[..., s, f])
//   n[..., f] = sum_s mask[s]
//
// Sums over s take the points whose target is not NaN.
// A target that is NaN (missing) is left out of both sums; a feature without any valid point counts
// as 0. Without missing values n is the number of interior points for each feature. Points with
// mask 0 are not read.
//
// prediction, target [leading..., points..., features]; mask [points..., 1] of 0 and 1 (other
// weights are allowed): its rank tells which axes are points; weights [features]; all of one type,
// f32 or f64. Result [leading...], sums in f64 in fixed chunks. Differentiable in prediction and
// target. The scalar of a step is mean_all (kernels/ops/reduce.h) of the result.
// With weights w_f / sd_f^2 (squared) or w_f / sd_f (absolute), w_f the weight and sd_f the
// deviation of the differences of a feature: the weighted loss of py4cast.
// Observers are told of 5 operations for each element, 4 in the backward pass.
// Error(shape): shapes that do not fit.
Tensor weighted_loss(Context& context, const Tensor& prediction, const Tensor& target,
                     const Tensor& mask, const Tensor& weights, LossKind kind);

// The same from elementary ops.
Tensor weighted_loss_composite(Context& context, const Tensor& prediction, const Tensor& target,
                               const Tensor& mask, const Tensor& weights, LossKind kind);

}  // namespace py4cast
