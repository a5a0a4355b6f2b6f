// The optimiser step.
#pragma once

#include "engine/context.h"

namespace py4cast {

struct AdamWSettings {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weight_decay = 0.01;
  int64_t step = 1;           // t, counts from 1
  double gradient_scale = 1;  // of clipping
};

// In one pass over the slab, for each element, with g = gradient_scale gradient:
//   value  = value - lr weight_decay value
//   first  = beta1 first + (1 - beta1) g
//   second = beta2 second + (1 - beta2) g^2
//   value  = value - lr (first / (1 - beta1^t)) / (sqrt(second / (1 - beta2^t)) + epsilon)
// values, gradients, first, second: same shape and type, f32 or f64; changed in place but the
// gradients. The constants are made in double. Elements with value, gradient and moments 0
// (padding) stay 0. Error(shape): shapes that differ. Error(internal): step < 1. Source:
// Loshchilov, Hutter, "Decoupled weight decay regularization", 2019; PyTorch's AdamW.
void adamw(Context& context, const Tensor& values, const Tensor& gradients, const Tensor& first,
           const Tensor& second, const AdamWSettings& settings);

}  // namespace py4cast
