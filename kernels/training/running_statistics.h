// The running statistics of a normalisation, after a step.
#pragma once

#include "engine/context.h"

namespace py4cast {

// For each element: running = (1 - momentum) running + momentum batch, of the mean and of the
// variance; and count += 1. In place.
//
// mean, variance, batch_mean, batch_variance [features], f32 or f64; count [] i64. norm: the result
// of gradient_norm (kernels/training/gradient_norm.h); if it is not finite nothing is changed;
// undefined: always. 6 operations for each feature. Error(shape): sizes or types that differ.
// Source: PyTorch's batch norm.
void update_running_statistics(Context& context, const Tensor& mean, const Tensor& variance,
                               const Tensor& count, const Tensor& batch_mean,
                               const Tensor& batch_variance, double momentum, const Tensor& norm);

}  // namespace py4cast
