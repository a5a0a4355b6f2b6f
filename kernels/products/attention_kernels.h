#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// The most channels of a head that the kernels take.
constexpr int attention_width = 256;

// q [batch, queries, heads, width], k and v [batch, keys, heads, width].
struct AttentionSizes {
  int64_t batch, queries, keys, heads, width;

  [[gnu::always_inline]] int64_t matrices() const { return batch * heads; }
  [[gnu::always_inline]] int64_t channels() const { return heads * width; }
  // Of one head of a sample: keys by channels, both up to whole vectors of every instruction level.
  [[gnu::always_inline]] int64_t padded_keys() const { return (keys + 63) / 64 * 64; }
  [[gnu::always_inline]] int64_t padded_width() const { return (width + 15) / 16 * 16; }
  [[gnu::always_inline]] int64_t padded_matrix() const { return padded_keys() * padded_width(); }
};

// y [batch, queries, heads, width], before it is rounded to T, and for the backward pass of each
// query of each head the largest score and 1 / (sum of exp(score - largest)): statistics [2, batch,
// queries, heads]. scratch: 2 matrices() padded_matrix() numbers on the CPU.
template <typename T>
struct AttentionForward {
  AttentionSizes sizes;
  Compute<T> scale;
  View<const T> q, k, v;
  View<Compute<T>> scratch, y, statistics;
  PY4CAST_RUN
};

// With weights w from the scores s = scale q k, and D = sum_c(dy y):
//   dv = sum over queries of w dy,  ds = w (dy v - D),  dq = scale sum over keys of ds k,
//   dk = scale sum over queries of ds q
// Sums over queries are made in `chunks` parts, which are added in order: partial has 2 matrices()
// padded_matrix() numbers for each. scratch: 3 matrices() padded_matrix() numbers on the CPU, D
// [batch, queries, heads] on a GPU.
template <typename T>
struct AttentionBackward {
  AttentionSizes sizes;
  int64_t chunks;
  Compute<T> scale;
  View<const T> dy, q, k, v;
  View<const Compute<T>> y, statistics;
  View<Compute<T>> scratch, partial;
  View<T> dq, dk, dv;
  PY4CAST_RUN
};

}  // namespace py4cast
