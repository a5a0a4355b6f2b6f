// Element-wise functions that follow a layer, under the names of torch.nn.
#pragma once

#include <string>
#include <string_view>

#include "engine/tape.h"
#include "kernels/ops/activation_kind.h"

namespace py4cast {

//   Identity x             LeakyReLU max(x, 0.01 x)      GELU     x (1 + erf(x / sqrt(2))) / 2
//   ReLU     max(x, 0)     ELU       x > 0 ? x : e^x - 1 SiLU     x / (1 + e^-x)
//   Sigmoid  1 / (1+e^-x)  SELU      a (x > 0 ? x : b (e^x - 1)), a = 1.0507.., b = 1.6732..
//   Tanh     tanh x        Softplus  x > 20 ? x : log(1 + e^x)
//   Hardtanh x in [-1, 1]  ReLU6     x in [0, 6]
//
// f32, f64, bf16; any shape. x's memory is reused if it is given away with std::move. The
// derivative at a kink is PyTorch's (of two slopes the one of the flatter, left or outer side).
Tensor activation(Context& context, Tensor x, Activation kind);

// The same from elementary ops.
Tensor activation_composite(Context& context, const Tensor& x, Activation kind);

std::string_view name_of(Activation kind);  // "LeakyReLU"
// Error(configuration): no such name; tells the nearest.
Activation activation_from_name(const std::string& name);

}  // namespace py4cast
