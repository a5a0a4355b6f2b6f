// For *.simd.cpp files: y = x w + bias by panels of columns of w.
#pragma once

#include "kernels/products/multiply_tile.h"

namespace py4cast {
namespace {

// The panel of columns from `column` on lies at packed + (depth + 1) * column: the bias, then the
// rows of w; zeros beyond the last column.
template <typename T>
void pack_panels(const T* w, bool transposed, const T* bias, int64_t depth, int64_t columns,
                 T* packed) {
  for_column_tiles<T>(columns, [=](auto tile, int64_t column) {
    constexpr int64_t width = decltype(tile)::vectors * lanes<T>;
    const int64_t used = smaller(width, columns - column);
    const T* const from = transposed ? w + column * depth : w + column;
    const int64_t down = transposed ? 1 : columns, along = transposed ? depth : 1;
    T* const to = packed + (depth + 1) * column;
    for (int64_t c = 0; c < width; ++c) to[c] = bias && c < used ? bias[column + c] : T(0);
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t c = 0; c < width; ++c)
        to[(k + 1) * width + c] = c < used ? from[k * down + c * along] : T(0);
  });
}

// A tile of y: `rows` rows of `depth` elements that are x_row apart times the first `used` columns of
// a panel, plus its bias; rows of y are `columns` apart.
template <int rows, int vectors, typename T>
PY4CAST_INLINE void linear_tile(const T* x, int64_t x_row, int64_t depth, const T* panel,
                                int64_t columns, int64_t used, T* y) {
  constexpr int64_t width = vectors * lanes<T>;
  Vector<T> sum[rows][vectors];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[r][v] = load(panel + v * lanes<T>);
  multiply_tile<rows, vectors, T>(x, x_row, 1, panel + width, width, depth, sum);
  alignas(64) T values[rows][width];  // a partial row goes through memory
  T* const to = used == width ? y : values[0];
  const int64_t step = used == width ? columns : width;
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) store(to + r * step + v * lanes<T>, sum[r][v]);
  if (used == width) return;
  for (int r = 0; r < rows; ++r)
#pragma omp simd
    for (int64_t c = 0; c < used; ++c) y[r * columns + c] = values[r][c];
}

}  // namespace
}  // namespace py4cast
