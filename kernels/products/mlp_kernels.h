#pragma once

#include "kernels/products/convolution_kernels.h"

namespace py4cast {

// The widest layers that the kernels take.
constexpr int64_t mlp_width = 256;

// Rows are those of one sample; nodes 0: each row is a result, else rows are edges, and their sums
// at nodes are. in 0: there is no first layer.
struct MlpSizes {
  int64_t batch, rows, nodes, in, hidden, out;

  [[gnu::always_inline]] int64_t features() const { return in ? in : hidden; }
  [[gnu::always_inline]] int64_t results() const { return nodes ? nodes : rows; }
  // Parts of the results, each with all of its rows: their number depends on the sizes alone.
  [[gnu::always_inline]] int64_t chunks() const {
    const int64_t most = chunk_count(batch * rows + 1), whole = batch * results();
    return most < whole ? most : whole;
  }
  // Numbers of a layer's bias and weights in the order in which they are read: one for each weight, or
  // half of one with the depth padded to tiles of 32.
  [[gnu::always_inline]] static int64_t packed(int64_t depth, int64_t columns) {
    const int64_t least = depth > 16 ? depth : 16;
    return depth ? (least + 1) * packed_columns(columns) : 0;
  }
  [[gnu::always_inline]] int64_t packed_first() const { return packed(in, hidden); }
  [[gnu::always_inline]] int64_t packed_last() const { return packed(hidden, out); }
  // What a layer norm lets be centred: the last weight and its bias.
  [[gnu::always_inline]] int64_t centred() const { return (hidden + 1) * out; }
  [[gnu::always_inline]] int64_t packed_forward() const {
    return packed_first() + packed_last() + centred();
  }
  // With the transposes.
  [[gnu::always_inline]] int64_t packed_backward() const {
    return packed_forward() + packed(out, hidden) + (in ? packed(hidden, in) : 0);
  }
  // Of one chunk: the gradients of the last weight, its bias, gamma and beta, of the first weight and
  // its bias. Those of weights have whole tiles.
  [[gnu::always_inline]] static int64_t weight_gradient(int64_t depth, int64_t columns) {
    return packed_columns(depth) * packed_columns(columns);
  }
  [[gnu::always_inline]] int64_t last_gradients() const {
    return weight_gradient(hidden, out) + 3 * packed_columns(out);
  }
  [[gnu::always_inline]] int64_t gradients() const {
    return last_gradients() + (in ? weight_gradient(in, hidden) + packed_columns(hidden) : 0);
  }
};

//   z_e = x_e first + first_bias + senders[from e] + receivers[to e],
//   m_e = layer_norm(SiLU(z_e) last + last_bias)
// y [batch, nodes, out]: the sum (or mean) of m_e over the edges e = order[offsets[n]] .. of node n.
// Without nodes receivers [batch, rows, hidden], if there are any, are added to z of the same row.
// rows [batch, rows, out]: m, with base added. What is of size 0 is not there: rows with nodes, base, a
// first layer (in is 0), the norm (gamma); order: the edges are sorted.
// packed: sizes.packed_forward() numbers.
template <typename T>
struct MlpForward {
  MlpSizes sizes;
  View<const T> x, senders, receivers;
  View<const int32_t> from, to, order, offsets;
  bool mean;
  View<const Compute<T>> first, first_bias, last, last_bias, gamma, beta;
  Compute<T> epsilon;
  View<Compute<T>> packed;
  View<const T> base;
  View<T> rows, y;
  PY4CAST_RUN
};

// z and m are computed again. dy and drows: the gradients of y and rows, of which the latter have x as base
// where there are nodes. dx [batch, rows, in]; dz [batch, rows, hidden]; dreceivers [batch, nodes,
// hidden]: the sum of dz over the edges to a node. Each of them may be of size 0; one of dx and dz may
// lie where x does, dreceivers or, without nodes, dz where receivers do. packed:
// sizes.packed_backward() numbers, partial: sizes.chunks() sizes.gradients().
template <typename T>
struct MlpBackward {
  MlpSizes sizes;
  View<const T> dy, drows, x, senders, receivers;
  View<const int32_t> from, to, order, offsets;
  bool mean;
  View<const Compute<T>> first, first_bias, last, last_bias, gamma;
  Compute<T> epsilon;
  View<Compute<T>> packed, partial;
  View<T> dx, dz, dreceivers;
  View<Compute<T>> dfirst, dfirst_bias, dlast, dlast_bias, dgamma, dbeta;
  PY4CAST_RUN
};

// Each row [features] times the transpose of the weight [features, features], in its place: a dx of
// dz. packed, on CPUs: MlpSizes::packed(features, features) numbers. tf32: on GPUs. At most as many
// features as the other kernels take.
template <typename T>
struct ProductInPlace {
  int64_t count, features;
  bool tf32;
  View<const Compute<T>> weight;
  View<Compute<T>> packed;
  View<T> rows;
  PY4CAST_RUN
};

}  // namespace py4cast
