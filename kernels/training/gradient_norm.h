// The norm of a step's gradients: for clipping, and to see whether the step can be used.
#pragma once

#include "engine/context.h"

namespace py4cast {

// The elements of the result, an f64 tensor [3] in the memory of the device: the optimiser reads
// them there, so that a step needs no decision of the host. The host may read them some steps late:
// once not finite, the result stays so until it is cleared, and no step changes anything.
struct GradientNorm {
  double norm;    // sqrt(sum_i gradients[i]^2)
  double scale;   // min(1, max_norm / (norm + 1e-6)), as PyTorch's clip_grad_norm_; 1 if max_norm
                  // is 0
  double finite;  // 1, or 0 if the norm or a loss is not finite, or was not since clearing
};
constexpr int64_t gradient_norm_count = 3;

// Before the first use, and to go on after a step that could not be used: finite = 1. In order with
// the work of the context's stream.
void clear_gradient_norm(const Context& context, const Tensor& result);

// gradients: a slab (f32, f64; any shape); losses of the same type, any shape, or undefined. Sums
// in f64 in fixed chunks; in f64 squares beyond 1e308 overflow, so that the norm is not finite.
// result: cleared before, or of the step before. 2 operations for each gradient.
// Error(shape): losses of another type.
void gradient_norm(Context& context, const Tensor& gradients, const Tensor& losses, double max_norm,
                   const Tensor& result);

// A copy on the host, after all work of the device.
GradientNorm read_gradient_norm(const Tensor& result);

}  // namespace py4cast
