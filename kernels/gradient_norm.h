// Gradient clipping by the norm of the whole slab.
#pragma once

#include "engine/context.h"

namespace py4cast {

// sqrt(sum_i x[i]^2) of a slab (f32, f64; any shape), summed in f64 in fixed chunks; 0 in a dry
// run. Not finite if an element is not (or, beyond 1e150 in f64, overflows).
double gradient_norm(Context& context, const Tensor& x);

// The factor for gradients that brings their norm down to max_norm:
//   min(1, max_norm / (norm + 1e-6)),   as PyTorch's clip_grad_norm_
// The caller looks at the norm first: the factor of a norm that is not finite means nothing.
double clip_factor(double norm, double max_norm);

}  // namespace py4cast
