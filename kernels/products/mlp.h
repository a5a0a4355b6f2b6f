// Two layers of an MLP in one pass, over rows or along the edges of a graph.
#pragma once

#include <functional>
#include <utility>

#include "kernels/ops/gather.h"

namespace py4cast {

// Weights [in, hidden] and [hidden, out] with their biases, gamma and beta [out] of a layer norm
// (layer_norm.h); all of compute_type of what they are applied to. What may be undefined: the first
// bias; gamma and beta, then no norm follows; the first layer, then what comes in are its results.
struct MlpWeights {
  Tensor first, first_bias, last, last_bias, gamma, beta;
  double epsilon = 1e-5;
};

//   y = layer_norm(SiLU(x first + first_bias) last + last_bias; gamma, beta)
// x [..., in], or [..., hidden] without a first layer -> [..., out]; f32, f64, bf16. Differentiable in
// x and all weights. One kernel, which keeps nothing but x and computes the rest again for the gradients:
// on a CPU for at most mlp_width features, on a GPU for at most mlp_cuda_width in f32 (also with operands
// in tf32) and bf16, where a first layer of more is a `linear` by itself; else mlp_composite. In bf16 what
// comes in and goes out is rounded to it; what lies between is f32, but for operands of products where
// the processor has those of bf16 (of pairs, or matrix tiles), and there SiLU has 13 bits. On a CPU the
// last weights are centred before they are rounded, where a norm follows. Sums are f32, those over rows
// in fixed chunks. In a backward pass that ends the tape the gradients of x and of receivers or `added` (below)
// take over their memory if nobody else holds it. Error(shape): what does not fit.
Tensor mlp(Context& context, const Tensor& x, const MlpWeights& weights);

// Rows of nodes. With `again`, a pure function that makes the same rows from what is kept anyway, they are
// not kept for the backward pass, which makes them again.
struct NodeRows {
  using Again = std::function<Tensor(Context&)>;
  NodeRows(Tensor values, Again remade = {}) : rows(std::move(values)), again(std::move(remade)) {}

  Tensor rows;
  Again again;
};

//   message_e = mlp(x_e), with senders[from e] + receivers[to e] added to the results of its first layer
//   y_n = sum of message_e over the edges e to node n, in rising order; with `mean` divided by their
//   number; 0 without edges
// x [batch, edges, in], senders and receivers [batch, nodes, hidden] (two sets of nodes, or one)
// -> [batch, nodes, out]. As mlp; no message is kept. Errors: those of edge_sum, too.
Tensor message_sums(Context& context, const Tensor& x, const NodeRows& senders,
                    const SegmentIndex& from, const NodeRows& receivers, const SegmentIndex& to,
                    const MlpWeights& weights, bool mean = false);

// What one round of messages gives: their sums at nodes, and x with its own message added.
struct MessageUpdate {
  Tensor sums, rows;
};
//   sums as message_sums gives them, rows_e = x_e + message_e
// x [batch, edges, out], with a first layer. One kernel.
MessageUpdate message_update(Context& context, const Tensor& x, const Tensor& senders,
                             const SegmentIndex& from, const Tensor& receivers,
                             const SegmentIndex& to, const MlpWeights& weights, bool mean = false);

//   y = base + mlp(x), with `added` added to the results of its first layer
// x [..., in], added [..., hidden], base [..., out] -> [..., out], with a first layer. One kernel.
Tensor mlp_update(Context& context, const Tensor& x, const Tensor& added, const Tensor& base,
                  const MlpWeights& weights);

// The same from elementary ops.
Tensor mlp_composite(Context& context, const Tensor& x, const MlpWeights& weights);
Tensor message_sums_composite(Context& context, const Tensor& x, const Tensor& senders,
                              const SegmentIndex& from, const Tensor& receivers,
                              const SegmentIndex& to, const MlpWeights& weights, bool mean = false);
MessageUpdate message_update_composite(Context& context, const Tensor& x, const Tensor& senders,
                                       const SegmentIndex& from, const Tensor& receivers,
                                       const SegmentIndex& to, const MlpWeights& weights,
                                       bool mean = false);
Tensor mlp_update_composite(Context& context, const Tensor& x, const Tensor& added,
                            const Tensor& base, const MlpWeights& weights);

}  // namespace py4cast
