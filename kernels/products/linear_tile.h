// For *.simd.cpp files: y = x w + bias by panels of columns of w.
#pragma once

#include "kernels/products/multiply_tile.h"

namespace py4cast {
namespace {

template <int n>
struct Step {};

// The panel of columns from `column` on lies at packed + (depth + 1) * column: the bias, then the
// rows of w, in operands of T; zeros beyond the last column.
template <typename T>
void pack_panels(const Compute<T>* w, bool transposed, const Compute<T>* bias, int64_t depth,
                 int64_t columns, Compute<T>* packed) {
  for_column_tiles<T>(columns, [=](auto tile, int64_t column) {
    constexpr int64_t width = decltype(tile)::vectors * lanes<T>;
    const int64_t used = smaller(width, columns - column);
    const Compute<T>* const from = transposed ? w + column * depth : w + column;
    const int64_t down = transposed ? 1 : columns, along = transposed ? depth : 1;
    const auto weight_at = [=](int64_t k, int64_t c) {
      return narrow<T>(k < depth && c < used ? from[k * down + c * along] : Compute<T>(0));
    };
    Compute<T>* const start = packed + (depth + 1) * column;
    for (int64_t c = 0; c < width; ++c) start[c] = bias && c < used ? bias[column + c] : 0;
    auto* const to = reinterpret_cast<Packed<T>*>(start + width);
    for (int64_t k = 0; k < packed_depth<T>(depth); ++k)
      for (int64_t c = 0; c < width; ++c)
        if constexpr (by_pairs<T>)
          to[k * width + c] = weight_at(2 * k, c).bits | uint32_t{weight_at(2 * k + 1, c).bits}
                                                             << 16;
        else
          to[k * width + c] = widen(weight_at(k, c));
  });
}

// A tile of y: `rows` rows of `depth` operands that are x_row apart times the first `used` columns of
// a panel, plus its bias, to y or added to it; rows of y are `columns` apart.
template <int rows, int vectors, typename T, bool adds = false>
PY4CAST_INLINE void linear_tile(const Packed<T>* x, int64_t x_row, int64_t depth,
                                const Compute<T>* panel, int64_t columns, int64_t used,
                                Compute<T>* y) {
  constexpr int64_t width = vectors * lanes<T>;
  Vector<T> sum[rows][vectors];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[r][v] = load(panel + v * lanes<T>);
  multiply_tile<rows, vectors, Packed<T>, Compute<T>>(
      x, x_row, 1, reinterpret_cast<const Packed<T>*>(panel + width), width, depth, sum);
  alignas(64) Compute<T> values[rows][width];  // a partial row goes through memory
  Compute<T>* const to = used == width ? y : values[0];
  const int64_t step = used == width ? columns : width;
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      Compute<T>* const at = to + r * step + v * lanes<T>;
      store(at, adds && used == width ? load(at) + sum[r][v] : sum[r][v]);
    }
  if (used == width) return;
  for (int r = 0; r < rows; ++r)
#pragma omp simd
    for (int64_t c = 0; c < used; ++c)
      y[r * columns + c] = adds ? y[r * columns + c] + values[r][c] : values[r][c];
}

}  // namespace
}  // namespace py4cast
