// The optimiser step.
#pragma once

#include "engine/context.h"

namespace py4cast {

// How the weight decay enters: AdamW shrinks the values themselves (decoupled); Adam adds
// weight_decay value to the gradient (L2).
enum class WeightDecay { decoupled, gradient };
// Where epsilon is added to the root: PyTorch to that of the corrected second moment; Keras to that of
// the moment as it is, which is PyTorch's epsilon / sqrt(1 - beta2^t).
enum class EpsilonForm { pytorch, keras };

struct AdamWSettings {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weight_decay = 0.01;
  int64_t step = 1;  // t, counts from 1
  WeightDecay decay = WeightDecay::decoupled;
  EpsilonForm form = EpsilonForm::pytorch;
};

// What the kernel reads of the settings, made in double: a tensor [adamw_factor_count] f64 in the
// memory of the device, so that a captured step can be replayed with other numbers.
constexpr int64_t adamw_factor_count = 9;
// factors: in host memory. Error(internal): step < 1.
void write_adamw_factors(const AdamWSettings& settings, const Tensor& factors);

// In one pass over the slab, for each element, with g = scale gradient (+ weight_decay value, where
// that is the form):
//   value  = value - lr weight_decay value                      (decoupled)
//   first  = beta1 first + (1 - beta1) g
//   second = beta2 second + (1 - beta2) g^2
//   value  = value - lr (first / (1 - beta1^t)) / (sqrt(second / (1 - beta2^t)) + epsilon)
// values, gradients, first, second: same shape and type, f32 or f64; changed in place but the
// gradients. norm: the result of gradient_norm (kernels/training/gradient_norm.h), which gives the
// scale; if it is not finite nothing is changed. Undefined: scale 1. Elements with value, gradient
// and moments 0 (padding) stay 0. 17 operations for each element. Error(shape): shapes that differ.
// Source: Loshchilov, Hutter, "Decoupled weight decay regularization", 2019; PyTorch's AdamW and
// Adam, Keras' Adam.
void adamw(Context& context, const Tensor& values, const Tensor& gradients, const Tensor& first,
           const Tensor& second, const Tensor& factors, const Tensor& norm);
// The same from settings; on a GPU it waits for their copy to the device.
void adamw(Context& context, const Tensor& values, const Tensor& gradients, const Tensor& first,
           const Tensor& second, const AdamWSettings& settings, const Tensor& norm = {});

}  // namespace py4cast
