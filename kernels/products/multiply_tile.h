// For *.simd.cpp files: a tile of a matrix product in registers.
#pragma once

#include "kernels/common/vector.h"

namespace py4cast {
namespace {

// A tile of the result stays in registers: `rows` x `vectors` sums, `vectors` of the right operand
// and one repeated element of the left one (kernels/common/vector.h has the sizes).
// sum[r][v] += sum_k a[r a_row + k a_step] b[k b_step + v lanes ..]
// Operands are of the type of the sums, or words of two bf16 numbers each, of which both products
// are added.
template <int rows, int vectors, typename Operand, typename T>
PY4CAST_INLINE void multiply_tile(const Operand* a, int64_t a_row, int64_t a_step, const Operand* b,
                                  int64_t b_step, int64_t depth, Vector<T> (&sum)[rows][vectors]) {
  for (int64_t k = 0; k < depth; ++k) {
    Vector<Operand> right[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) right[v] = load(b + k * b_step + v * lanes<Operand>);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      const Operand left = a[r * a_row + k * a_step];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[r][v] = multiply_add(sum[r][v], left, right[v]);
    }
  }
}

// The same added to d[r d_row + v lanes ..] in memory.
template <int rows, int vectors, typename Operand, typename T>
PY4CAST_INLINE void add_tile(const Operand* a, int64_t a_row, int64_t a_step, const Operand* b,
                             int64_t b_step, int64_t depth, T* d, int64_t d_row) {
  Vector<T> sum[rows][vectors] = {};
  multiply_tile<rows, vectors, Operand, T>(a, a_row, a_step, b, b_step, depth, sum);
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      T* const at = d + r * d_row + v * lanes<T>;
      store(at, load(at) + sum[r][v]);
    }
}

}  // namespace
}  // namespace py4cast
