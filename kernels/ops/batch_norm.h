// Batch normalisation over the last axis, with the activation that follows it.
#pragma once

#include "engine/tape.h"
#include "kernels/ops/activation_kind.h"

namespace py4cast {

struct BatchNormResult {
  Tensor y;
  Tensor mean, variance;  // of the batch, [channels]; the variance is the unbiased one (n - 1)
};

//   y[r, c] = f(gamma[c] (x[r, c] - m[c]) / sqrt(v[c] + epsilon) + beta[c])
// m, v: mean and biased variance of column c over all rows.
//
// x [..., channels] f32, f64 or bf16; gamma, beta and the statistics [channels] of compute_type
// (f32 for bf16); f: identity or relu (others follow as an op of their own). Squares are taken of
// deviations from the means of small blocks of rows, which are then merged, so that a large mean
// costs no digits; blocks are fixed. Differentiable in x, gamma, beta; the statistics are constants
// to the tape. Error(shape): gamma or beta do not fit, or fewer than two rows. Error(internal):
// another activation. Source: Ioffe, Szegedy, "Batch normalization", 2015; merging: Chan, Golub,
// LeVeque, 1979.
BatchNormResult batch_norm(Context& context, const Tensor& x, const Tensor& gamma,
                           const Tensor& beta, double epsilon = 1e-5,
                           Activation activation = Activation::identity);

// The same with given (running) statistics, constants to the tape.
Tensor batch_norm_evaluate(Context& context, Tensor x, const Tensor& gamma, const Tensor& beta,
                           const Tensor& mean, const Tensor& variance, double epsilon = 1e-5,
                           Activation activation = Activation::identity);

// The same from elementary ops.
Tensor batch_norm_composite(Context& context, const Tensor& x, const Tensor& gamma,
                            const Tensor& beta, double epsilon = 1e-5,
                            Activation activation = Activation::identity);
Tensor batch_norm_evaluate_composite(Context& context, const Tensor& x, const Tensor& gamma,
                                     const Tensor& beta, const Tensor& mean, const Tensor& variance,
                                     double epsilon = 1e-5,
                                     Activation activation = Activation::identity);

}  // namespace py4cast
