// Softmax over the last axis.
#pragma once

#include "engine/tape.h"

namespace py4cast {

//   y[r, c] = exp(x[r, c] - m[r]) / sum over k of exp(x[r, k] - m[r]),  m[r] = max over k of x[r, k]
//
// x [..., columns] f32, f64 or bf16 (sums in f32, one rounding). The derivative
//   dx[r, c] = y[r, c] (dy[r, c] - sum_k(y[r, k] dy[r, k]) / sum_k(y[r, k]))
// divides by the sum of y, which is 1 but for roundings, so that it vanishes where dy is the same
// along the row. Error(shape): x has no axis, or an empty last one.
Tensor softmax(Context& context, const Tensor& x);

}  // namespace py4cast
