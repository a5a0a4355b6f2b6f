#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// One element of a convolution's kernel: where it reads, from the pixel's own place, and which
// weights it takes.
struct Tap {
  int64_t offset[3];
  int64_t slab;
};

[[gnu::always_inline]] inline bool inside(int64_t i, int64_t size) {
  return static_cast<uint64_t>(i) < static_cast<uint64_t>(size);
}

// y[b, o * out_step + out_first] = sum over taps t of x[b, o * in_step + offset_t] w[slab_t]
// for o in [0, out) on three spatial axes, x = 0 outside: a convolution, or one phase of a
// transposed one (of a stride s there are s phases on each axis, out_step = s).
struct Correlation {
  int64_t batch, in[3], out[3], in_step[3];
  int64_t out_size[3], out_step[3], out_first[3];
  int64_t groups, in_channels, out_channels;  // of all groups
  View<const Tap> taps;

  // Whether there is enough to do for several threads.
  [[gnu::always_inline]] bool large() const {
    return batch * out[0] * out[1] * out[2] * taps.size * in_channels * out_channels >
           (groups << 20);
  }
};

// Weights in the order in which the kernels read them, then a row of zeros that stands for pixels
// outside, then the bias (zeros without one).
struct PackSizes {
  int64_t slabs, groups, in, out;  // channels of one group
  bool transposed;  // the source is [slab, out, groups in], last slab first, instead of
                    // [slab, in, groups out]
};
// Columns are padded to whole vectors of every instruction level and type.
[[gnu::always_inline]] constexpr int64_t packed_columns(int64_t columns) {
  return (columns + 15) / 16 * 16;
}
// Where the zeros begin. Weights of bf16 take half an element each, but their input channels may be
// padded to tiles of 32.
[[gnu::always_inline]] constexpr int64_t packed_zeros(const PackSizes& s) {
  const int64_t tiles = (s.in + 31) / 32 * 16;
  return s.groups * s.slabs * (s.in > tiles ? s.in : tiles) * packed_columns(s.out);
}
[[gnu::always_inline]] constexpr int64_t packed_size(const PackSizes& s) {
  return packed_zeros(s) + packed_columns(s.in) + s.groups * packed_columns(s.out);
}
// T is the type of x and y; weights are rounded to it.
template <typename T>
struct PackWeights {
  PackSizes sizes;
  View<const Compute<T>> weight, bias;
  View<Compute<T>> packed;
  PY4CAST_RUN
};

template <typename T>
struct Correlate {
  const Correlation& c;
  PackSizes sizes;
  View<const T> x;
  View<const Compute<T>> packed;
  View<T> y;
  PY4CAST_RUN
};

// dw[slab, i, o] = sum over pixels p of x[p * in_step + offset, i] dy[p, o]  (groups apart).
// Rows of pixels are cut into weight_chunks(...) parts, whose sums go to partial [chunks, dw] and
// are added in order; a single part is dw itself. A part is some thousand pixels at least, and all
// parts take some megabytes at most.
[[gnu::always_inline]] constexpr int64_t weight_chunks(int64_t rows, int64_t width,
                                                       int64_t weights) {
  const int64_t by_memory = (int64_t{1} << 20) / (weights > 0 ? weights : 1);
  const int64_t by_pixels = rows * width / 2048;
  int64_t chunks = by_memory < by_pixels ? by_memory : by_pixels;
  chunks = chunks < max_chunks ? chunks : max_chunks;
  chunks = chunks < rows ? chunks : rows;
  return chunks < 1 ? 1 : chunks;
}
// In bf16 sums are fp32, and the parts consist of pieces of rows; partial has padded_weights
// numbers for each, even for a single one.
constexpr int64_t piece_pixels = 64;
[[gnu::always_inline]] constexpr int64_t weight_pieces(int64_t rows, int64_t width) {
  return rows * ((width + piece_pixels - 1) / piece_pixels);
}
[[gnu::always_inline]] constexpr int64_t padded_weights(const PackSizes& s) {
  return s.groups * s.slabs * packed_columns(s.in) * packed_columns(s.out);
}
template <typename T>
struct ConvolutionWeightGradient {
  const Correlation& c;
  View<const T> x, dy;
  View<Compute<T>> partial, dw;
  PY4CAST_RUN
};

// The same with one channel in and out of each group (depthwise), weights [slab, channels].
template <typename T>
struct DepthwiseProduct {
  const Correlation& c;
  View<const T> x;
  View<const Compute<T>> weight, bias;
  View<T> y;
  PY4CAST_RUN
};
template <typename T>
struct DepthwiseWeightGradient {
  const Correlation& c;
  View<const T> x, dy;
  View<Compute<T>> partial, dw;
  PY4CAST_RUN
};

}  // namespace py4cast
