// The product with a weight matrix along the last axis, and its two gradients.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// y[.., o] = sum_i x[.., i] weight[i, o] + bias[o]
//
// x [..., in], weight [in, out], bias [out] or undefined; y [..., out]; f32, f64, or bf16 with
// weight and bias f32. On a CPU each y is one sum over i in rising order (bf16: see convolution.h); on a GPU the
// library's engine has an order of its own, the same in each run.
// Differentiable in x, weight, bias. Observers are told of 2 rows in out operations, of this and of
// its gradients. Error(shape): sizes or types that do not fit.
Tensor linear(Context& context, const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// dx[.., i] = sum_o dy[.., o] weight[i, o]: dy [..., out], weight [in, out]; dx [..., in].
Tensor linear_data_gradient(Context& context, const Tensor& dy, const Tensor& weight);

// dweight[i, o] = sum over rows of x[.., i] dy[.., o]: x [..., in], dy [..., out]; [in, out]. Rows
// are summed in fixed chunks.
Tensor linear_weight_gradient(Context& context, const Tensor& x, const Tensor& dy);

// The three close under differentiation: each is linear in both of its operands, and their
// derivatives are the three again.

}  // namespace py4cast
