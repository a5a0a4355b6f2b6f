// Products with weights on CUDA: by cuBLASLt and cuDNN where they serve, else by convolution.cu.
//
// f32 (fp32 sums; operands rounded to tf32 if the context's precision is tf32) and bf16 go to the
// libraries if the context has them; f64, depthwise convolutions, and what no deterministic engine
// fits go to our own kernels. Workspaces come from the context, in the dry run too.
#pragma once

#include "engine/context.h"
#include "kernels/products/convolution_problem.h"

namespace py4cast {

// These functions exist in builds with CUDA alone: call them from `on_cuda` (dispatch.h).

// y [rows, columns] = x [rows, depth] w + bias, w [depth, columns] or, if transposed, the transpose
// of w [columns, depth]. bias [columns] or undefined. Results of bf16 are rounded once, with their
// bias.
void cuda_linear(Context& context, const Tensor& x, const Tensor& weight, bool transposed,
                 const Tensor& bias, const Tensor& y);
// y += x w, as above; false, and y is as it was: no library does that.
bool cuda_linear_adds(Context& context, const Tensor& x, const Tensor& weight, bool transposed,
                      const Tensor& y);
// dweight [in, out] = transpose of x [rows, in] times dy [rows, out]
void cuda_linear_weight_gradient(Context& context, const Tensor& x, const Tensor& dy,
                                 const Tensor& dweight);

// The forward convolution and its gradients; x, w and y are the operands and the result. bias is
// added to the result if it is defined (not to a weight gradient).
void cuda_convolution(Context& context, ConvolutionKind kind, const ConvolutionProblem& problem,
                      const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y);

}  // namespace py4cast
