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
  // Whether there is enough to do for several threads.
  [[gnu::always_inline]] bool large() const { return 16 * tiles() * in * out > int64_t{1} << 20; }
  [[gnu::always_inline]] int64_t blocks(int64_t block) const {
    return (tiles() + block - 1) / block;
  }
};
// Tiles of a block, which go through a product together: a multiple of every register tile.
constexpr int64_t winograd_least_block = 12, winograd_most_block = 48;
constexpr int64_t winograd_points = 16;  // numbers of a transformed tile
// The distance between points that have so many numbers each: 16 more keep the points of a tile in
// different sets of the first cache.
[[gnu::always_inline]] constexpr int64_t winograd_stride(int64_t numbers) {
  return numbers + 16;
}

// The transformed weights, then the bias (zeros without one), then a row of zeros that stands for
// pixels outside.
[[gnu::always_inline]] constexpr int64_t winograd_packed(const WinogradSizes& s) {
  return (winograd_points * s.in + 1) * packed_columns(s.out) + packed_columns(s.in);
}
// weight [3, 3, in, out] or, if transposed, [3, 3, out, in] with the last element first; rounded to T,
// the type of x and y.
template <typename T>
struct WinogradWeights {
  const WinogradSizes& sizes;
  bool transposed;
  View<const Compute<T>> weight, bias;
  View<Compute<T>> packed;
  PY4CAST_RUN
};

// The transformed tiles of a block. Rows behind the last tile hold what was there: they are multiplied,
// and nothing is made of them.
[[gnu::always_inline]] constexpr int64_t winograd_block_size(const WinogradSizes& s,
                                                             int64_t block) {
  return winograd_points * winograd_stride(block * packed_columns(s.in));
}
// scratch: winograd_block_size numbers for each thread. No result depends on their number or that of a
// block's tiles.
template <typename T>
struct WinogradProduct {
  const WinogradSizes& sizes;
  int64_t block;
  int threads;
  View<const T> x;
  View<const Compute<T>> packed;
  View<Compute<T>> scratch;
  View<T> y;
  PY4CAST_RUN
};

// Weight gradients: tiles whose products are added while they are in the first cache.
constexpr int64_t winograd_depth = 48;
// And how many are transformed before: they take some megabytes, and are enough for several threads.
[[gnu::always_inline]] inline int64_t winograd_round(const WinogradSizes& s) {
  const int64_t each = winograd_points * (packed_columns(s.in) + packed_columns(s.out));
  const int64_t most = (int64_t{1} << 20) / (each * winograd_depth), least = 4;
  const int64_t all = (s.tiles() + winograd_depth - 1) / winograd_depth;
  const int64_t some = most > least ? most : least;
  return winograd_depth * (all < some ? all : some);
}
// The transformed tiles of x and dy, the sums, and a row of zeros.
[[gnu::always_inline]] inline int64_t winograd_gradient_size(const WinogradSizes& s) {
  const int64_t in = packed_columns(s.in), out = packed_columns(s.out), tiles = winograd_round(s);
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
