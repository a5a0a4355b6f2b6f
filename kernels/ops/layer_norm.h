// Layer normalisation over the last axis.
#pragma once

#include "engine/tape.h"

namespace py4cast {

//   y[r, c] = gamma[c] (x[r, c] - m[r]) / sqrt(v[r] + epsilon) + beta[c]
// m, v: mean and biased variance of row r.
//
// x [..., channels] f32, f64 or bf16; gamma and beta [channels] of compute_type (f32 for bf16);
// rows = product of the leading axes. Deviations are taken from the mean before they are squared.
// Differentiable in x, gamma, beta; sums over rows are made in fixed chunks. Error(shape): gamma or
// beta do not fit. Source: Ba, Kiros, Hinton, "Layer normalization", 2016.
Tensor layer_norm(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  double epsilon = 1e-5);

// The same from elementary ops: the oracle of the test, and what second derivatives go through.
Tensor layer_norm_composite(Context& context, const Tensor& x, const Tensor& gamma,
                            const Tensor& beta, double epsilon = 1e-5);

}  // namespace py4cast
