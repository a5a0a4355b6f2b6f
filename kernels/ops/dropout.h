// Random zeros in training: dropout, and drop path, which drops whole samples of a branch.
#pragma once

#include "engine/tape.h"

namespace py4cast {

//   training:    y[i] = x[i] / (1 - probability) with probability 1 - probability, else 0
//   evaluation:  y = x
//
// Elements that share a decision: `decisions` has the rank of x, and 1 where the elements along an
// axis stand or fall together, else the size of x. So x.shape() is dropout, [batch, 1, .., channels]
// PyTorch's Dropout2d, [batch, 1, .., 1] drop path (stochastic depth). x f32, f64 or bf16, one
// rounding. The numbers are those of uniform() (kernels/ops/random.h) in f32 for this stream: a
// captured step draws new ones, `checkpoint` the same again. Error(shape): decisions do not fit.
// Error(internal): the probability is not in [0, 1). Source: Srivastava et al., "Dropout", 2014;
// Huang et al., "Deep networks with stochastic depth", 2016.
Tensor dropout(Context& context, const Tensor& x, double probability, const Shape& decisions,
               uint64_t stream);

}  // namespace py4cast
