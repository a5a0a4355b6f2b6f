// Convolutions with kernels of 3 x 3 by 16 products for 2 x 2 results instead of 36 (winograd.h).
#pragma once

#include "kernels/products/convolution_kernels.h"

namespace py4cast {

// y[image, p] is made of x[image, p + first + (0, 0) .. (2, 2)], x = 0 outside.
struct WinogradSizes {
  int64_t images, in_size[2], out_size[2], first[2], in, out;  // in, out: channels

  // Tiles of 2 x 2 results; those at the lower and right edge may be cut.
  [[gnu::always_inline]] int64_t tiles(int axis) const { return (out_size[axis] + 1) / 2; }
  [[gnu::always_inline]] int64_t tiles() const { return images * tiles(0) * tiles(1); }
};
constexpr int64_t winograd_points = 16;  // numbers of a transformed tile
constexpr int64_t winograd_block = 48;  // tiles that go together: a multiple of every register tile
// From one point to the next of so many numbers: such that the points of a tile lie in different sets of
// the first cache.
[[gnu::always_inline]] constexpr int64_t winograd_stride(int64_t numbers) {
  return numbers + 16;
}

// The transformed weights, then the bias (zeros without one), then a row of zeros that stands for
// pixels outside.
[[gnu::always_inline]] inline int64_t winograd_packed(const WinogradSizes& s) {
  return (winograd_points * s.in + 1) * packed_columns(s.out) + packed_columns(s.in);
}
// weight [3, 3, in, out] or, if transposed, [3, 3, out, in] with the last element first; rounded to T, the
// type of x and y.
template <typename T>
struct WinogradWeights {
  const WinogradSizes& sizes;
  bool transposed;
  View<const Compute<T>> weight, bias;
  View<Compute<T>> packed;
  PY4CAST_RUN
};

// Blocks of tiles are shared out among parts, whose number depends on the sizes alone; each has memory
// for the transformed tiles of one block.
[[gnu::always_inline]] inline int64_t winograd_parts(const WinogradSizes& s) {
  const int64_t blocks = (s.tiles() + winograd_block - 1) / winograd_block;
  return blocks < max_chunks ? blocks : max_chunks;
}
[[gnu::always_inline]] inline int64_t winograd_tiles_size(const WinogradSizes& s) {
  return winograd_points * winograd_stride(winograd_block * packed_columns(s.in));
}
// scratch: winograd_parts winograd_tiles_size numbers.
template <typename T>
struct WinogradProduct {
  const WinogradSizes& sizes;
  View<const T> x;
  View<const Compute<T>> packed;
  View<Compute<T>> scratch;
  View<T> y;
  PY4CAST_RUN
};

// Tiles whose sums of weight gradients are made at a time: their transforms take some megabytes.
[[gnu::always_inline]] inline int64_t winograd_summed(const WinogradSizes& s) {
  const int64_t each = winograd_points * (packed_columns(s.in) + packed_columns(s.out));
  const int64_t blocks = (int64_t{2} << 20) / (each * winograd_block);
  return winograd_block * (blocks > 1 ? blocks : 1);
}
// The transformed tiles of x and dy, the sums, and a row of zeros.
[[gnu::always_inline]] inline int64_t winograd_gradient_size(const WinogradSizes& s) {
  const int64_t in = packed_columns(s.in), out = packed_columns(s.out);
  const int64_t tiles = winograd_summed(s);
  return winograd_points * (winograd_stride(tiles * in) + winograd_stride(tiles * out) + in * out) +
         (in > out ? in : out);
}
// dweight [3, 3, in, out]. scratch: winograd_gradient_size numbers.
template <typename T>
struct WinogradWeightGradient {
  const WinogradSizes& sizes;
  View<const T> x, dy;
  View<Compute<T>> scratch, dweight;
  PY4CAST_RUN
};

}  // namespace py4cast
