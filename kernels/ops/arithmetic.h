// Elementwise arithmetic. Operands have the same shape and type (f32, f64, bf16, which is computed
// in f32); results may take over an operand's memory when the caller gives it away with std::move.
// The composites of fused ops are made of these.
#pragma once

#include "engine/tape.h"

namespace py4cast {

Tensor add(Context& context, Tensor a, Tensor b);
Tensor subtract(Context& context, Tensor a, Tensor b);
Tensor multiply(Context& context, Tensor a, Tensor b);
Tensor divide(Context& context, Tensor a, Tensor b);
Tensor affine(Context& context, Tensor x, double scale, double shift);  // scale x + shift
inline Tensor scale(Context& context, Tensor x, double factor) {
  return affine(context, std::move(x), factor, 0);
}

// x^exponent: x > 0 unless the exponent is a whole number.
Tensor power(Context& context, Tensor x, double exponent);
Tensor exponential(Context& context, Tensor x);
Tensor logarithm(Context& context, Tensor x);
Tensor absolute(Context& context, Tensor x);  // derivative 0 at 0
Tensor hyperbolic_tangent(Context& context, Tensor x);
Tensor error_function(Context& context, Tensor x);
// 1 where x > bound, else 0; a constant to the tape.
Tensor greater(Context& context, const Tensor& x, double bound);

Tensor is_number(Context& context, const Tensor& x);  // 0 where x is NaN, else 1; a constant
Tensor without_nan(Context& context, Tensor x);       // 0 where x is NaN, also its derivative

// sum += x, in place, for gradients and other accumulators; not recorded.
void add_into(Context& context, const Tensor& sum, const Tensor& x);
// Of many pairs (sum, x) of one type, whose sums do not overlap: on a GPU one launch for some hundred of them.
using SumOfMany = std::pair<Tensor, Tensor>;
void add_into(Context& context, std::span<const SumOfMany> pairs);
Tensor full(Context& context, const Shape& shape, DataType type, double value);

}  // namespace py4cast
