// The kernels of convolution.cu: products over gathered pixels. They serve convolutions of every
// kind without a library, and `linear`, which is a convolution with a kernel of one element.
#pragma once

#include "kernels/common/view.h"
#include "kernels/products/convolution_problem.h"

namespace py4cast {

// Which pixel of the operand goes with pixel p of the result and element k of the kernel, on each
// axis: (p step + k tap_step + first) / divisor, if that leaves no rest and is in [0, from).
struct PixelMap {
  int64_t batch, to[3], from[3], kernel[3], step[3], tap_step[3], first[3], divisor[3];

  int64_t pixels() const { return batch * to[0] * to[1] * to[2]; }
  int64_t slabs() const { return kernel[0] * kernel[1] * kernel[2]; }
};
inline PixelMap forward_map(const ConvolutionProblem& p) {
  PixelMap map{p.batch, {}, {}, {}, {}, {}, {}, {}};
  for (int axis = 0; axis < 3; ++axis) {
    map.to[axis] = p.out[axis];
    map.from[axis] = p.in[axis];
    map.kernel[axis] = p.kernel[axis];
    map.step[axis] = p.stride[axis];
    map.tap_step[axis] = p.dilation[axis];
    map.first[axis] = -p.padding[axis];
    map.divisor[axis] = 1;
  }
  return map;
}
inline PixelMap backward_map(const ConvolutionProblem& p) {
  PixelMap map = forward_map(p);
  for (int axis = 0; axis < 3; ++axis) {
    map.to[axis] = p.in[axis];
    map.from[axis] = p.out[axis];
    map.step[axis] = 1;
    map.tap_step[axis] = -p.dilation[axis];
    map.first[axis] = p.padding[axis];
    map.divisor[axis] = p.stride[axis];
  }
  return map;
}

// The product of a group's channels with its weights: element (k, n) of slab s of group g is
// w[s slab + g group + k depth_step + n column_step].
struct GroupedWeights {
  int64_t groups, depth, columns;  // of one group: channels read and channels made
  int64_t slab, group, depth_step, column_step;
};
inline GroupedWeights forward_weights(const ConvolutionProblem& p) {
  const int64_t in = p.in_channels / p.groups, out = p.out_channels / p.groups;
  return {p.groups, in, out, in * p.out_channels, out, p.out_channels, 1};
}
inline GroupedWeights backward_weights(const ConvolutionProblem& p) {
  const int64_t in = p.in_channels / p.groups, out = p.out_channels / p.groups;
  return {p.groups, out, in, in * p.out_channels, out, 1, p.out_channels};
}
// The same of weights whose slabs were transposed, in a convolution of one group.
inline GroupedWeights transposed_weights(const ConvolutionProblem& p) {
  return {1, p.out_channels, p.in_channels, p.in_channels * p.out_channels, 0, p.in_channels, 1};
}

// y[p, g, n] = bias[g, n] + sum_s,k x[source of p and s, g, k] w(s, g, k, n). Types: f32, f64, bf16
// (bias Compute<T>, or of size 0). With tf32, f32 operands are rounded to tf32.
template <typename T>
void gathered_product_kernel(Cuda device, const PixelMap& map, const GroupedWeights& weights,
                             bool tf32, View<const T> x, View<const T> w,
                             View<const Compute<T>> bias, View<T> y);

// dw[s, i, g, o] = sum_p x[source of p and s, g, i] dy[p, g, o] for a forward map: pixels in
// `chunks` parts, whose sums go to partial [chunks, dw] and are added in order; a single part goes
// to dw itself.
template <typename T>
void gathered_weight_gradient_kernel(Cuda device, const PixelMap& map, int64_t groups,
                                     int64_t in_channels, int64_t out_channels, bool tf32,
                                     int64_t chunks, View<const T> x, View<const T> dy,
                                     View<Compute<T>> partial, View<Compute<T>> dw);

// total = sum of the chunks of partial [chunks, total], in order; nothing to do for a single one.
template <typename C>
void add_weight_chunks_kernel(Cuda device, int64_t chunks, View<C> partial, View<C> total);

// The same with one channel in and out of each group (depthwise.cu): w [slabs, channels], rounded
// to T.
template <typename T>
void depthwise_product_kernel(Cuda device, const PixelMap& map, int64_t channels, View<const T> x,
                              View<const Compute<T>> w, View<const Compute<T>> bias, View<T> y);
template <typename T>
void depthwise_weight_gradient_kernel(Cuda device, const PixelMap& map, int64_t channels,
                                      int64_t chunks, View<const T> x, View<const T> dy,
                                      View<Compute<T>> partial, View<Compute<T>> dw);

// to [count, columns, rows] = transpose of each from [rows, columns], rounded to To.
template <typename From, typename To>
void transpose_weights_kernel(Cuda device, int64_t count, int64_t rows, int64_t columns,
                              View<const From> from, View<To> to);
// y[p, n] += bias[n]
void add_bias_kernel(Cuda device, View<const float> bias, View<float> y);
// to = from, rounded where To is narrower.
template <typename From, typename To>
void convert_kernel(Cuda device, View<const From> from, View<To> to);

}  // namespace py4cast
