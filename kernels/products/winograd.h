// Convolutions of 3 x 3 on CPUs with 2.25 times fewer products: Winograd's F(2 x 2, 3 x 3). With
//
//   B^T = 1  0 -1  0     G = 1    0    0     A^T = 1  1  1  0
//         0  1  1  0         1/2  1/2  1/2         0  1 -1 -1
//         0 -1  1  0         1/2 -1/2  1/2
//         0  1  0 -1         0    0    1
//
// 2 x 2 results are A^T [sum over channels of (G w G^T) (B^T x B)] A, x the 4 x 4 pixels that they
// read, the product in brackets by elements; the gradient of w is G^T [sum over tiles of (B^T x B) (A dy A^T)] G.
// Source: Lavin and Gray, Fast algorithms for convolutional neural networks, 2015.
//
// Sums in f32 are as exact as those of the definition: errors of y and dx are smaller, those of dweight at
// most twice as large. Their bits do not depend on the number of threads. A weight of 0 may leave a
// rounding error; where x or weights are infinite or nearly overflow, results that read them may be NaN,
// others are not touched.
#pragma once

#include "engine/tape.h"
#include "kernels/products/convolution_problem.h"

namespace py4cast {

// Whether it is worthwhile: 3 x 3, or 1 x 3 x 3, without strides, dilation or groups, with at least 16
// channels on both sides, 4 x 4 results and 16 tiles in the whole batch; not in bf16 where the processor
// has dot products of it.
bool fits_winograd(const Context& context, const ConvolutionProblem& problem, DataType type);

// y of x, or, if `transposed`, dx (y) of dy (x); weight [3, 3, in, out], bias: of y, or undefined.
void winograd_product(Context& context, const ConvolutionProblem& problem, bool transposed,
                      const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y);
void winograd_weight_gradient(Context& context, const ConvolutionProblem& problem, const Tensor& x,
                              const Tensor& dy, const Tensor& dweight);

}  // namespace py4cast
