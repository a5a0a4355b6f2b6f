// For *.amx.cpp files: the products of an MLP's kernels (mlp_tiles.h) in bf16 by matrix tiles. Sums are
// fp32; denormal numbers count as 0.
#pragma once

#include "kernels/products/matrix_tiles.h"
#include "kernels/products/mlp_rows.h"

namespace py4cast {
namespace {

class MatrixProducts {
 public:
  using Element = bfloat16;
  // Two tiles of rows; one of depth for products along the rows.
  static constexpr int64_t block_rows = 32;
  // Whole tiles of depth.
  PY4CAST_INLINE static int64_t operand_row(int64_t size) {
    return (size + tile_depth - 1) / tile_depth * tile_depth;
  }

  // The bias, then [tile of columns, tile of depth] of w: pairs of rows, zeros beyond the last ones.
  static void pack(const float* w, bool transposed, const float* bias, int64_t depth,
                   int64_t columns, float* packed) {
    const int64_t width = packed_columns(columns), down = transposed ? 1 : columns,
                  along = transposed ? depth : 1;
    for (int64_t c = 0; c < width; ++c) packed[c] = bias && c < columns ? bias[c] : 0.0f;
    auto* to = reinterpret_cast<uint32_t*>(packed + width);
    for (int64_t column = 0; column < width; column += tile_columns)
      for (int64_t k = 0; k < operand_row(depth); k += 2)
        for (int64_t c = column; c < column + tile_columns; ++c) {
          const auto bits = [=](int64_t row) {
            const bool used = row < depth && c < columns;
            return uint32_t{narrow<bfloat16>(used ? w[row * down + c * along] : 0.0f).bits};
          };
          *to++ = bits(k) | bits(k + 1) << 16;
        }
  }

  [[gnu::noinline]] void multiply(const uint32_t* x, int64_t /*count*/, int64_t depth,
                                  int64_t columns, const float* packed, float* y) {
    const int64_t whole = operand_row(depth), width = packed_columns(columns);
    const int64_t x_row = whole * bytes<bfloat16>, y_row = width * bytes<float>;
    const auto* const upper = reinterpret_cast<const bfloat16*>(x);
    const bfloat16* const lower = upper + tile_rows * whole;
    const auto* weights = reinterpret_cast<const bfloat16*>(packed + width);
    for (int64_t c = 0; c < width; c += 2 * tile_columns, weights += 2 * tile_columns * whole) {
      const bool two = c + tile_columns < width;
      const float* const bias = packed + c;
      tiles_.load<0>(bias, 0);  // the same row 16 times
      tiles_.load<1>(bias, 0);
      if (two) {
        tiles_.load<2>(bias + tile_columns, 0);
        tiles_.load<3>(bias + tile_columns, 0);
      }
      for (int64_t k = 0; k < whole; k += tile_depth) {
        tiles_.load<4>(upper + k, x_row);
        tiles_.load<5>(lower + k, x_row);
        tiles_.load<6>(weights + k * tile_columns, 64);
        tiles_.multiply<0, 4, 6>();
        tiles_.multiply<1, 5, 6>();
        if (!two) continue;
        tiles_.load<7>(weights + (whole + k) * tile_columns, 64);
        tiles_.multiply<2, 4, 7>();
        tiles_.multiply<3, 5, 7>();
      }
      float* const to = y + c;
      tiles_.store<0>(to, y_row);
      tiles_.store<1>(to + tile_rows * width, y_row);
      if (!two) continue;
      tiles_.store<2>(to + tile_columns, y_row);
      tiles_.store<3>(to + tile_columns + tile_rows * width, y_row);
    }
  }

  // `to` has whole tiles.
  [[gnu::noinline]] void add_weight_gradient(const uint32_t* x, const uint32_t* dy, int64_t count,
                                             int64_t in, int64_t out, float* to) {
    const int64_t x_row = operand_row(in), dy_row = operand_row(out), width = packed_columns(out);
    const int64_t to_row = width * bytes<float>;
    alignas(64) uint32_t gradients[block_rows / 2 * mlp_width], features[16][16];
    for (int64_t r = 0; r < block_rows; r += 2)
      for (int64_t c = 0; c < width; c += tile_columns)
        store(gradients + r / 2 * width + c, two_rows(dy, dy_row, count, r, c));
    for (int64_t i = 0; i < in; i += tile_rows, to += tile_rows * width) {
      turn(x, x_row, count, i, features);
      tiles_.load<4>(features, 64);
      for (int64_t c = 0; c < width; c += 2 * tile_columns) {
        const bool two = c + tile_columns < width;
        tiles_.load<0>(to + c, to_row);
        tiles_.load<6>(gradients + c, to_row);
        tiles_.multiply<0, 4, 6>();
        if (two) {
          tiles_.load<1>(to + c + tile_columns, to_row);
          tiles_.load<7>(gradients + c + tile_columns, to_row);
          tiles_.multiply<1, 4, 7>();
          tiles_.store<1>(to + c + tile_columns, to_row);
        }
        tiles_.store<0>(to + c, to_row);
      }
    }
  }

 private:
  template <typename T>
  static constexpr auto bytes = static_cast<int64_t>(sizeof(T));

  // 16 features of 32 rows become 16 rows of 32 numbers. To interleave the words of the rows i and
  // i + 8 turns the bits of a word's place, row and column, by one; four times, and they are exchanged.
  PY4CAST_INLINE static void turn(const uint32_t* x, int64_t row, int64_t count, int64_t feature,
                                  uint32_t (&to)[16][16]) {
    Words words[16];
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) words[r] = two_rows(x, row, count, 2 * r, feature);
#pragma GCC unroll 4
    for (int round = 0; round < 4; ++round) {
      Words next[16];
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) {
        next[2 * i] = interleaved<0>(words[i], words[i + 8]);
        next[2 * i + 1] = interleaved<8>(words[i], words[i + 8]);
      }
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) words[i] = next[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) store(to[i], words[i]);
  }
  // Eight words of each, from the n-th on.
  template <int n>
  PY4CAST_INLINE static Words interleaved(Words a, Words b) {
    return __builtin_shufflevector(a, b, n, n + 16, n + 1, n + 17, n + 2, n + 18, n + 3, n + 19,
                                   n + 4, n + 20, n + 5, n + 21, n + 6, n + 22, n + 7, n + 23);
  }

  Tiles tiles_;
};

}  // namespace
}  // namespace py4cast
