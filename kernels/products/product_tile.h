// A tile of a matrix product in shared memory, for .cu files: d [64, 64] += a [64, depth] b
// [depth, 64] by a block of 256 threads, in fused multiply-adds or, for bf16 and tf32, on tensor
// cores. a is kept by rows (each row its depth) or by depth (each depth its rows), b by depth.
#pragma once

#include <type_traits>

#include "kernels/common/mma.h"

namespace py4cast {

constexpr int tile_size = 64;
constexpr int tile_pitch = tile_size + 8;  // of rows with 64 elements
constexpr int product_threads = 256;

enum class Multiply { plain, bf16, tf32 };

// Calls f(std::integral_constant<Multiply>) for the element type.
template <typename T, typename F>
void with_multiply(bool tf32, F&& f) {
  if constexpr (std::is_same_v<T, bfloat16>)
    f(std::integral_constant<Multiply, Multiply::bf16>());
  else if constexpr (std::is_same_v<T, float>)
    if (tf32)
      f(std::integral_constant<Multiply, Multiply::tf32>());
    else
      f(std::integral_constant<Multiply, Multiply::plain>());
  else
    f(std::integral_constant<Multiply, Multiply::plain>());
}

template <typename T, Multiply multiply, bool a_by_rows>
class ProductTile {
 public:
  static constexpr int depth = sizeof(T) == 2 ? 32 : 16;
  static constexpr int part = 16 / static_cast<int>(sizeof(T));  // elements of 16 bytes
  // Rows are apart by more than they need, so that what a warp reads together lies in different banks.
  static constexpr int a_pitch = a_by_rows ? depth + part : tile_pitch;
  static constexpr int a_elements = (a_by_rows ? tile_size : depth) * a_pitch;
  static constexpr int b_pitch = tile_pitch;
  static constexpr int b_elements = depth * b_pitch;

  __device__ static int a_index(int row, int k) {
    return a_by_rows ? row * a_pitch + k : k * a_pitch + row;
  }
  __device__ static int b_index(int k, int column) { return k * b_pitch + column; }

  // Adds the product of the tiles that begin at elements a_first and b_first.
  __device__ void multiply_add(SharedView<T> a, int a_first, SharedView<T> b, int b_first) {
    if constexpr (multiply == Multiply::plain)
      add_plain(a, a_first, b, b_first);
    else if constexpr (multiply == Multiply::bf16)
      add_bf16(a, a_first, b, b_first);
    else
      add_tf32(a, a_first, b, b_first);
  }

  // f(row, column, sum) for the 16 elements that this thread holds.
  template <typename F>
  __device__ void for_each(F&& f) const {
    for (int i = 0; i < 16; ++i) {
      const auto [row, column] = place(i);
      f(row, column, sums_[i / 4][i % 4]);
    }
  }

 private:
  struct Place {
    int row, column;
  };
  // Plain: 4 x 4 neighbours, 16 x 16 threads. Tensor cores: warps are 2 x 4, each has 2 x 2 tiles
  // of 16 x 8.
  __device__ static Place place(int i) {
    const int thread = static_cast<int>(threadIdx.x);
    if constexpr (multiply == Multiply::plain)
      return {thread / 16 * 4 + i / 4, thread % 16 * 4 + i % 4};
    const int tile = i / 4, lane = thread % 32;
    return {warp_row() + tile / 2 * 16 + lane / 4 + i % 4 / 2 * 8,
            warp_column() + tile % 2 * 8 + lane % 4 * 2 + i % 2};
  }
  __device__ static int warp_row() { return static_cast<int>(threadIdx.x) / 32 / 4 * 32; }
  __device__ static int warp_column() { return static_cast<int>(threadIdx.x) / 32 % 4 * 16; }

  __device__ void add_plain(SharedView<T> a, int a_first, SharedView<T> b, int b_first) {
    const Place own = place(0);
    for (int k = 0; k < depth; ++k) {
      Compute<T> left[4], right[4];
      for (int i = 0; i < 4; ++i) {
        const T x = a[a_first + a_index(own.row + i, k)];
        const T y = b[b_first + b_index(k, own.column + i)];
        left[i] = widen(x);
        right[i] = widen(y);
      }
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) sums_[i][j] += left[i] * right[j];
    }
  }

  __device__ void add_bf16(SharedView<T> a, int a_first, SharedView<T> b, int b_first) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    for (int k = 0; k < depth; k += 16) {
      // Both tiles of 8 columns: matrices (k, 0), (k + 8, 0), (k, 8), (k + 8, 8).
      uint32_t right[4];
      load_matrices<true>(
          right, b,
          b_first + b_index(k + lane / 8 % 2 * 8 + lane % 8, warp_column() + lane / 16 * 8));
      for (int tile = 0; tile < 2; ++tile) {
        const int row = warp_row() + 16 * tile;
        uint32_t left[4];
        if constexpr (a_by_rows)
          load_matrices<false>(left, a, a_first + a_index(row + lane % 16, k + lane / 16 * 8));
        else
          load_matrices<true>(
              left, a, a_first + a_index(row + lane / 8 % 2 * 8, k + lane / 16 * 8 + lane % 8));
        mma_bf16(sums_[2 * tile], left, {right[0], right[1]});
        mma_bf16(sums_[2 * tile + 1], left, {right[2], right[3]});
      }
    }
  }

  __device__ void add_tf32(SharedView<T> a, int a_first, SharedView<T> b, int b_first) {
    const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
    for (int k = 0; k < depth; k += 8) {
      uint32_t right[2][2];
      for (int i = 0; i < 4; ++i) {
        const T y = b[b_first + b_index(k + t + i % 2 * 4, warp_column() + i / 2 * 8 + g)];
        right[i / 2][i % 2] = to_tf32(y);
      }
      for (int tile = 0; tile < 2; ++tile) {
        uint32_t left[4];
        for (int i = 0; i < 4; ++i) {
          const T x =
              a[a_first + a_index(warp_row() + 16 * tile + g + i % 2 * 8, k + t + i / 2 * 4)];
          left[i] = to_tf32(x);
        }
        mma_tf32(sums_[2 * tile], left, right[0]);
        mma_tf32(sums_[2 * tile + 1], left, right[1]);
      }
    }
  }

  // Plain: rows of the 4 x 4 neighbours. Tensor cores: the four sums of each tile.
  Compute<T> sums_[4][4] = {};
};

// Elements at .. at + part of `from` to a tile; those from `valid` on are zeros. `whole`: parts are
// aligned, and all of a part is valid or nothing.
template <typename T>
__device__ inline void load_part(SharedView<T> tile, int to, Global<const T> from, int64_t at,
                                 int64_t valid, bool whole) {
  constexpr int part = 16 / static_cast<int>(sizeof(T));
  if (whole)
    copy_async(tile, to, from, at, valid > 0);
  else
    for (int i = 0; i < part; ++i) tile[to + i] = i < valid ? from[at + i] : T(0);
}

}  // namespace py4cast
