#pragma once

#include "kernels/products/convolution_kernels.h"

namespace py4cast {

// The widest layers that the kernels take.
constexpr int64_t mlp_tail_width = 256;

// Rows are those of one sample; nodes 0: each row is a result, else rows are edges, and their sums
// at nodes are.
struct MlpTailSizes {
  int64_t batch, rows, nodes, hidden, out;

  [[gnu::always_inline]] int64_t results() const { return nodes ? nodes : rows; }
  // Parts of the results, each with all of its rows: their number depends on the sizes alone.
  [[gnu::always_inline]] int64_t chunks() const {
    const int64_t most = chunk_count(batch * rows + 1), whole = batch * results();
    return most < whole ? most : whole;
  }
  // Numbers of the weights in the order in which they are read, and of their transpose.
  [[gnu::always_inline]] int64_t packed() const { return (hidden + 1) * packed_columns(out); }
  [[gnu::always_inline]] int64_t packed_transpose() const {
    return (out + 1) * packed_columns(hidden);
  }
  // Of one chunk: the gradients of weight, bias, gamma and beta.
  [[gnu::always_inline]] int64_t gradients() const { return (hidden + 3) * packed_columns(out); }
};

//   h = SiLU(x_e + senders[from e] + receivers[to e]),  m_e = layer_norm(h weight + bias)
// y [batch, nodes, out]: the sum (or mean) of m_e over the edges e = order[offsets[n]] .. of node n;
// without nodes h = SiLU(x_e), and y [batch, rows, out] is m. order of size 0: the edges are sorted.
// gamma of size 0: no norm. packed: sizes.packed() numbers.
template <typename T>
struct MlpTailForward {
  MlpTailSizes sizes;
  View<const T> x, senders, receivers;
  View<const int32_t> from, to, order, offsets;
  bool mean;
  View<const T> weight, bias, gamma, beta;
  T epsilon;
  View<T> packed, y;
  PY4CAST_RUN
};

// h and m are computed again. dx [batch, rows, hidden]; dreceivers [batch, nodes, hidden]: the sum
// of dx over the edges to a node, or of size 0. packed: sizes.packed() + sizes.packed_transpose()
// numbers, partial: sizes.chunks() sizes.gradients().
template <typename T>
struct MlpTailBackward {
  MlpTailSizes sizes;
  View<const T> dy, x, senders, receivers;
  View<const int32_t> from, to, order, offsets;
  bool mean;
  View<const T> weight, bias, gamma;
  T epsilon;
  View<T> packed, partial, dx, dreceivers, dweight, dbias, dgamma, dbeta;
  PY4CAST_RUN
};

}  // namespace py4cast
