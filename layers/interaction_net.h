// One round of messages along the edges of a graph.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "layers/edges.h"
#include "layers/linear.h"

namespace py4cast {

// One Mlp for all rows of the last but one axis, or one for each of several chunks of them, which
// lie one after another: x [batch, rows, in] -> [batch, rows, out]. Names: "0.weight", ... of one,
// "mlps.0.0.weight", ... of several.
class SplitMlp {
 public:
  // widths, recompute: of each Mlp. chunks: its rows; empty: one Mlp for any number of rows.
  SplitMlp(const Builder& builder, const std::vector<int64_t>& widths, bool recompute = false,
           std::vector<int64_t> chunks = {});
  Tensor operator()(Context& context, const Tensor& x) const;
  // The one Mlp of all rows; null if there are several.
  const Mlp* alone() const { return chunks_.empty() ? mlps_.data() : nullptr; }

 private:
  std::vector<int64_t> chunks_;
  std::vector<Mlp> mlps_;
};

struct InteractionSettings {
  int64_t width = 64;                             // of all features
  int64_t hidden_layers = 1;                      // of both Mlps
  bool mean = false;                              // of the messages, instead of their sum
  bool recompute = false;                         // of both Mlps
  bool of_grid = false;                           // from or to a grid, along constant edges
  std::vector<int64_t> edge_chunks, node_chunks;  // of the Mlps (SplitMlp)
};

//   message_e  = edge_mlp([edge_e, sender_e, receiver_e])
//   receiver_r = receiver_r + aggr_mlp([receiver_r, sum of message_e over the edges to r])
//   edge_e     = edge_e + message_e
//
// Grids have many nodes and edges. With of_grid and one edge_mlp of two layers, the product of the edges
// with its first layer is made and taken back once for all calls where there are several (Context::kept),
// unless perceptrons are computed again; in bf16 that product, and the sum of its gradients over the calls,
// are rounded. On a GPU, where memory is scarce and such products are fast, those of a grid's nodes are made
// again in the backward pass; those of other nodes are small, and one op (grouped_linear).
//
// Senders [batch, senders, width], receivers and edges likewise. Names: edge_mlp, aggr_mlp. Source:
// Battaglia, Pascanu, Lai, Rezende, Kavukcuoglu, "Interaction networks for learning about objects,
// relations and physics", 2016; parameters as in mfai 9.0.1.
class InteractionNet {
 public:
  InteractionNet(const Builder& builder, const Edges& edges, const InteractionSettings& settings);

  // The new receivers. edges(): the edges, which are not needed where their product is kept.
  Tensor operator()(Context& context, const Tensor& senders, const Tensor& receivers,
                    const std::function<Tensor()>& edges) const;
  Tensor operator()(Context& context, const Tensor& senders, const Tensor& receivers,
                    const Tensor& edges) const {
    return (*this)(context, senders, receivers, [&] { return edges; });
  }
  // Receivers and edges in their places.
  void update(Context& context, const Tensor& senders, Tensor& receivers, Tensor& edges) const;

 private:
  Tensor messages(Context& context, const Tensor& senders, const Tensor& receivers,
                  const Tensor& edges) const;
  Tensor sums(Context& context, const Tensor& messages) const;

  Edges edges_;
  bool mean_, of_grid_, edges_once_;
  SplitMlp edge_mlp_, aggregation_mlp_;
};

}  // namespace py4cast
