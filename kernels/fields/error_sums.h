// Sums of forecast errors, for verification.
#pragma once

#include "engine/context.h"

namespace py4cast {

// result[b, f, k] = a sum over the points p with mask[p] != 0 and a target that is not NaN, of
//   k = 0: (prediction - target)^2
//   k = 1: |prediction - target|
//   k = 2: prediction - target
//   k = 3: 1
//
// prediction, target [batch, points..., features] f32 or f64; mask [points...] of the same type,
// its size the product of the middle axes. Result [batch, features, 4] f64; sums in fixed chunks,
// each sample by itself. Not differentiable. 7 operations for each element.
// Error(shape): shapes that do not fit.
Tensor error_sums(Context& context, const Tensor& prediction, const Tensor& target,
                  const Tensor& mask);

}  // namespace py4cast
