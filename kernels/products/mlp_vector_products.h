// For *.simd.cpp files: the products of an MLP's kernels (mlp_tiles.h) by vectors.
#pragma once

#include "kernels/products/linear_tile.h"
#include "kernels/products/mlp_rows.h"

namespace py4cast {
namespace {

template <typename T>
class VectorProducts {
 public:
  using Element = T;
  // A multiple of the rows of every tile.
  static constexpr int64_t block_rows = 48;
  PY4CAST_INLINE static int64_t operand_row(int64_t size) { return packed_columns(size); }

  PY4CAST_INLINE static void pack(const Compute<T>* w, bool transposed, const Compute<T>* bias,
                                  int64_t depth, int64_t columns, Compute<T>* packed) {
    pack_panels<T>(w, transposed, bias, depth, columns, packed);
  }

  PY4CAST_INLINE void multiply(const Packed<T>* x, int64_t count, int64_t depth, int64_t columns,
                               const Compute<T>* packed, Compute<T>* y) {
    const int64_t x_row = operand_row(depth) / per_operand<T>, y_row = packed_columns(columns);
    for_column_tiles<T>(columns, [&](auto tile, int64_t column) {
      constexpr int vectors = decltype(tile)::vectors, step = decltype(tile)::rows;
      for (int64_t r = 0; r < count; r += step)
        linear_tile<step, vectors, T>(x + r * x_row, x_row, packed_depth<T>(depth),
                                      packed + (depth + 1) * column, y_row, vectors * lanes<T>,
                                      y + r * y_row + column);
    });
  }

  PY4CAST_INLINE void add_weight_gradient(const Packed<T>* x, const Packed<T>* dy, int64_t count,
                                          int64_t in, int64_t out, Compute<T>* to) {
    const int64_t x_row = packed_columns(in), pitch = packed_columns(out);
    Rows<Packed<T>, by_pairs<T> ? block_rows / 2 : 0> x_words(0), dy_words(0);
    x = along_rows(x, count, in, x_words.values);
    dy = along_rows(dy, count, out, dy_words.values);
    const int64_t depth = packed_depth<T>(count);
    for_column_tiles<T>(out, [&](auto tile, int64_t column) {
      constexpr int most = decltype(tile)::rows, vectors = decltype(tile)::vectors;
      int64_t i = 0;
      const auto add = [&]<int step>(Step<step>) {
        for (; i + step <= in; i += step)
          add_tile<step, vectors>(x + i, 1, x_row, dy + column, pitch, depth,
                                  to + i * pitch + column, pitch);
      };
      add(Step<most>{});
      add(Step<4>{});
      add(Step<1>{});
    });
  }

 private:
  // Operands of a product along the rows: in pairs they are written to `words`.
  PY4CAST_INLINE static const Packed<T>* along_rows(const Packed<T>* rows, int64_t count,
                                                    int64_t size, Packed<T>* words) {
    if constexpr (!by_pairs<T>) {
      return rows;
    } else {
      const int64_t row = packed_columns(size);
      const auto* const numbers = reinterpret_cast<const bfloat16*>(rows);
      int64_t r = 0;
      for (; r + 2 <= count; r += 2)
        interleave(numbers + r * row, numbers + (r + 1) * row, row, words + r / 2 * row);
      for (int64_t i = 0; r < count && i < row; i += lanes<T>)
        store(words + r / 2 * row + i, two_rows(rows, row, count, r, i));
      return words;
    }
  }
};

}  // namespace
}  // namespace py4cast
