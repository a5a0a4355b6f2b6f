// The kernels of mlp.cu: the layers of mlp.h on a GPU. Forward a warp takes 16 rows at a time through all
// layers, backward a block 64, with the weights in shared memory.
#pragma once

#include "kernels/products/mlp_kernels.h"

namespace py4cast {

// The most features of any layer.
constexpr int64_t mlp_cuda_width = 64;

// Parts of the results of one sample, each with all of its rows, at least one; of all samples at most
// about `most`. Their number depends on the sizes alone.
inline int64_t mlp_cuda_parts(const MlpSizes& s, int64_t rows_of_part, int64_t most) {
  const int64_t samples = s.batch > 0 ? s.batch : 1;
  int64_t parts = (s.rows + rows_of_part - 1) / rows_of_part;
  for (const int64_t limit : {most / samples, s.results()})
    if (limit < parts) parts = limit;
  return parts > 0 ? parts : 1;
}
// Of warps that make results, 64 for each of the 132 multiprocessors of an H100, and of blocks that sum gradients
// of weights, two for each.
inline int64_t mlp_result_parts(const MlpSizes& s) {
  return mlp_cuda_parts(s, 16, 64 * 132);
}
inline int64_t mlp_gradient_parts(const MlpSizes& s) {
  return mlp_cuda_parts(s, 64, 2 * 132);
}

// Rows of mlp_cuda_width numbers that a part sums: of the gradients of the last weight; of the first bias, the last
// one, gamma and beta; of the first weight.
constexpr int64_t mlp_part_vectors = mlp_cuda_width, mlp_part_first = mlp_part_vectors + 4;
constexpr int64_t mlp_part_rows(const MlpSizes& s) {
  return mlp_part_first + (s.in ? mlp_cuda_width : 0);
}

// MlpForward and MlpBackward (mlp_kernels.h) for f32 and bf16, at most mlp_cuda_width features of x, of
// the hidden layer and of y. tf32: operands of f32 are rounded to tf32. What is of size 0 is not there:
//   without nodes, receivers [batch, rows, hidden] are added to z of the same row
//   y: the sums at nodes; rows [batch, rows, out]: m, with base added
template <typename T>
struct MlpCudaForward {
  MlpSizes sizes;
  bool tf32;
  View<const T> x, senders, receivers;
  View<const int32_t> from, to, order, offsets;
  bool mean;
  View<const float> first, first_bias, last, last_bias, gamma, beta;
  float epsilon;
  View<const T> base;
  View<T> rows, y;
  PY4CAST_RUN
};
// drows: the gradient of `rows`, which with nodes have x as base. dx, dz and dreceivers may lie as those of
// MlpBackward. partial [batch mlp_gradient_parts(sizes), mlp_part_rows(sizes), mlp_cuda_width]: the sums over
// parts are the gradients of the weights.
template <typename T>
struct MlpCudaBackward {
  MlpSizes sizes;
  bool tf32;
  View<const T> dy, drows, x, senders, receivers;
  View<const int32_t> from, to, order, offsets;
  bool mean;
  View<const float> first, first_bias, last, last_bias, gamma;
  float epsilon;
  View<float> partial;
  View<T> dx, dz, dreceivers;
  PY4CAST_RUN
};

}  // namespace py4cast
