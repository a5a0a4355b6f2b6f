// Sums over axes and their adjoint, broadcasting. f32, f64 and bf16.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// y[.., 1, ..] = sum of x over the axes where `shape` has 1 (ranks are equal, the other sizes
// agree). Sums are made in fixed chunks in f64, whatever the type of the elements, so they do not
// depend on the number of threads.
Tensor sum_to(Context& context, const Tensor& x, const Shape& shape);
// The same with a result in the type that kernels compute in (compute_type: f32 for bf16), so that
// nothing but the sum is rounded.
Tensor wide_sum_to(Context& context, const Tensor& x, const Shape& shape);
// The adjoint: y has `shape`, x's axes of size 1 are repeated.
Tensor broadcast(Context& context, const Tensor& x, const Shape& shape);
// The same, where x has only the last axes of `shape`: numbers of channels, a mask of points.
Tensor broadcast_last(Context& context, const Tensor& x, const Shape& shape);

Tensor sum(Context& context, const Tensor& x, int axis);   // keeps the axis with size 1
Tensor mean(Context& context, const Tensor& x, int axis);  // likewise
Tensor sum_all(Context& context, const Tensor& x);         // [] (rank 0)
Tensor mean_all(Context& context, const Tensor& x);        // [] (rank 0)

}  // namespace py4cast
