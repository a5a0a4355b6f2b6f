// Scaled dot-product attention with several heads.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// Of head h, whose channels c are [h channels / heads, (h + 1) channels / heads):
//   y[b, n, c] = sum over keys m of w[b, h, n, m] v[b, m, c]
//   w[b, h, n, :] = softmax over m of scale (sum over c of head h of q[b, n, c] k[b, m, c])
//
// q [batch, queries, channels], k and v [batch, keys, channels]; y has the shape of q; f32, f64 or
// bf16, whose scores, weights and sums are f32 and are rounded once, in the result. Error(shape):
// what does not fit, no keys, or heads that do not divide the channels. Source: Vaswani et al.,
// "Attention is all you need", 2017.
Tensor attention(Context& context, const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                 double scale);

// The same from elementary ops; it keeps all weights.
Tensor attention_composite(Context& context, const Tensor& q, const Tensor& k, const Tensor& v,
                           int64_t heads, double scale);

}  // namespace py4cast
