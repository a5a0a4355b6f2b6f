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
struct GatheredProduct {
  const PixelMap& map;
  const GroupedWeights& weights;
  bool tf32;
  View<const T> x, w;
  View<const Compute<T>> bias;
  View<T> y;
  PY4CAST_RUN
};

// dw[s, i, g, o] = sum_p x[source of p and s, g, i] dy[p, g, o] for a forward map: pixels in
// `chunks` parts, whose sums go to partial [chunks, dw] and are added in order; a single part goes
// to dw itself.
template <typename T>
struct GatheredWeightGradient {
  const PixelMap& map;
  int64_t groups, in_channels, out_channels;
  bool tf32;
  int64_t chunks;
  View<const T> x, dy;
  View<Compute<T>> partial, dw;
  PY4CAST_RUN
};

// total = sum of the chunks of partial [chunks, total], in order; nothing to do for a single one.
template <typename T>
struct AddWeightChunks {
  int64_t chunks;
  View<const T> partial;
  View<T> total;
  PY4CAST_RUN
};

// The same with one channel in and out of each group (depthwise.cu): w [slabs, channels], rounded
// to T.
template <typename T>
struct GatheredDepthwise {
  const PixelMap& map;
  int64_t channels;
  View<const T> x;
  View<const Compute<T>> w, bias;
  View<T> y;
  PY4CAST_RUN
};
template <typename T>
struct GatheredDepthwiseWeightGradient {
  const PixelMap& map;
  int64_t channels, chunks;
  View<const T> x, dy;
  View<Compute<T>> partial, dw;
  PY4CAST_RUN
};

// to [count, columns, rows] = transpose of each from [rows, columns], rounded to T.
template <typename T>
struct TransposeWeights {
  int64_t count, rows, columns;
  View<const float> from;
  View<T> to;
  PY4CAST_RUN
};
// y[p, n] += bias[n]
struct AddBias {
  View<const float> bias;
  View<float> y;
  PY4CAST_RUN
};
// to = from, rounded where To is narrower.
template <typename From, typename To>
struct Convert {
  View<const From> from;
  View<To> to;
  PY4CAST_RUN
};

}  // namespace py4cast
