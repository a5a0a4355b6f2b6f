// Layer normalisation over the last axis.
#pragma once

#include "engine/tape.h"

namespace py4cast {

//   y[r, c] = gamma[c] (x[r, c] - m[r]) / (sqrt(v[r] + inside) + outside) + beta[c]
// m, v: mean and biased variance of row r; what is added to them, inside of the root (in most
// networks) or outside of it, is not negative.
//
// x [..., channels] f32, f64 or bf16; gamma and beta [channels] of compute_type (f32 for bf16);
// rows = product of the leading axes. Deviations are taken from the mean before they are squared.
// Differentiable in x, gamma, beta; sums over rows are made in fixed chunks. Where the root is 0 its
// derivative counts as 0. Error(shape): gamma or beta do not fit. Source: Ba, Kiros, Hinton, "Layer
// normalization", 2016.
Tensor layer_norm(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  double inside = 1e-5, double outside = 0);

// The same from elementary ops: the oracle of the test, and what second derivatives go through.
Tensor layer_norm_composite(Context& context, const Tensor& x, const Tensor& gamma,
                            const Tensor& beta, double inside = 1e-5, double outside = 0);

}  // namespace py4cast
