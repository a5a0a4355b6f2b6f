// The last layers of an MLP in one pass, over rows or along the edges of a graph.
#pragma once

#include "kernels/ops/gather.h"

namespace py4cast {

// weight [hidden, out], bias [out]; gamma, beta [out] of a layer norm (layer_norm.h), or undefined:
// none follows. All of compute_type of what they are applied to.
struct MlpTail {
  Tensor weight, bias, gamma, beta;
  double epsilon = 1e-5;
};

//   y = layer_norm(SiLU(x) weight + bias; gamma, beta)
// x [..., hidden] -> [..., out]; f32, f64, bf16. Differentiable in x and all of the tail. On a CPU,
// in f32 and f64 and for at most mlp_tail_width features: one kernel, which keeps nothing but x and
// computes the rest again for the gradients; else mlp_tail_composite. Sums over rows are made in
// fixed chunks. Error(shape): what does not fit.
Tensor mlp_tail(Context& context, const Tensor& x, const MlpTail& tail);

//   message_e = mlp_tail(x_e + senders[from e] + receivers[to e])
//   y_n = sum of message_e over the edges e to node n, in rising order; with `mean` divided by their
//   number; 0 without edges
// x [batch, edges, hidden], senders and receivers [batch, nodes, hidden] (two sets of nodes, or one)
// -> [batch, nodes, out]. As mlp_tail; no message is kept. Errors: those of edge_sum, too.
Tensor message_sums(Context& context, const Tensor& x, const Tensor& senders,
                    const SegmentIndex& from, const Tensor& receivers, const SegmentIndex& to,
                    const MlpTail& tail, bool mean = false);

// The same from elementary ops.
Tensor mlp_tail_composite(Context& context, const Tensor& x, const MlpTail& tail);
Tensor message_sums_composite(Context& context, const Tensor& x, const Tensor& senders,
                              const SegmentIndex& from, const Tensor& receivers,
                              const SegmentIndex& to, const MlpTail& tail, bool mean = false);

}  // namespace py4cast
