// Convolution over one, two or three spatial axes, and its two gradients. Each is linear in both of
// its operands, and the derivatives of each are the other two, so derivatives of any order are made
// of them.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// One number for each spatial axis; an empty shape stands for stride 1, padding 0, dilation 1.
struct ConvolutionGeometry {
  Shape stride = {}, padding = {}, dilation = {};  // padding: zeros on both sides
  int64_t groups = 1;  // channels are cut into so many parts that do not mix
};

// y[b, p, o] = bias[o] + sum_k,i x[b, p stride + k dilation - padding, i] weight[k, i, o]
//
// x [batch, spatial..., in], weight [kernel..., in / groups, out], bias [out] or undefined,
// y [batch, (spatial + 2 padding - dilation (kernel - 1) - 1) / stride + 1, out]; f32, f64, or bf16
// with weight and bias f32; x = 0 outside. Channels of group g are in [g in / groups, (g + 1) in /
// groups), likewise out. Sums run over the kernel's elements, then over the input channels; on CPUs those
// of 3 x 3 kernels with many channels run over the channels of transformed tiles instead (winograd.h). A
// result does not depend on the number of threads. In bf16 the weight is rounded to bf16, sums are
// fp32, the bias is added before the only rounding of the result, and gradients of weight and bias
// are f32; the processor's dot products (instruction levels avx512_bf16 and amx) take denormal
// numbers for 0. Error(shape): what does not fit, or an empty output.
// Told to observers, as of the other three: 2 operations for each output element, element of the
// kernel and channel of a group, those outside of x included, those of the bias not; and the
// geometry, without empty shapes.
Tensor convolution(Context& context, const Tensor& x, const Tensor& weight, const Tensor& bias,
                   const ConvolutionGeometry& geometry = {});

// dx[b, q, i] = sum_p,k,o dy[b, p, o] weight[k, i, o] over p stride + k dilation - padding = q
//
// `x` is the shape of dx (strides leave it open). Error(shape): not the shapes of a convolution.
Tensor convolution_data_gradient(Context& context, const Tensor& dy, const Tensor& weight,
                                 const Shape& x, const ConvolutionGeometry& geometry = {});

// dweight[k, i, o] = sum_b,p x[b, p stride + k dilation - padding, i] dy[b, p, o]
//
// `weight` is the shape of dweight. Sums over pixels are made in a fixed order.
Tensor convolution_weight_gradient(Context& context, const Tensor& x, const Tensor& dy,
                                   const Shape& weight, const ConvolutionGeometry& geometry = {});

// The transposed ("de-") convolution of networks that up-sample: the data gradient of the
// convolution that maps its output to its input, plus a bias.
//
// x [batch, spatial..., in], weight [kernel..., out / groups, in], bias [out] or undefined,
// y [batch, (spatial - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding, out].
Tensor transposed_convolution(Context& context, const Tensor& x, const Tensor& weight,
                              const Tensor& bias, const ConvolutionGeometry& geometry = {},
                              const Shape& output_padding = {});

// The shape of y. Error(shape): what does not fit.
Shape convolution_shape(const Context& context, const Shape& x, const Shape& weight,
                        const ConvolutionGeometry& geometry);

}  // namespace py4cast
