// Stochastic gradient descent with momentum.
#pragma once

#include "engine/context.h"

namespace py4cast {

struct SgdSettings {
  double lr = 1e-2, momentum = 0, weight_decay = 0;
  bool nesterov = false;
};

// What the kernel reads of the settings: a tensor [sgd_factor_count] f64 in the memory of the device.
constexpr int64_t sgd_factor_count = 4;
void write_sgd_factors(const SgdSettings& settings, const Tensor& factors);  // in host memory

// In one pass over the slab, for each element:
//   g        = scale gradient + weight_decay value
//   velocity = momentum velocity + g
//   value    = value - lr d,   d = velocity, or with nesterov g + momentum velocity
// values, gradients, velocity: same shape and type, f32 or f64; values and velocity change in place.
// norm: the result of gradient_norm (kernels/training/gradient_norm.h), which gives the scale; if it is
// not finite nothing is changed. Undefined: scale 1. Error(shape): shapes that differ. Source: PyTorch's
// SGD, without dampening.
void sgd(Context& context, const Tensor& values, const Tensor& gradients, const Tensor& velocity,
         const Tensor& factors, const Tensor& norm);

}  // namespace py4cast
