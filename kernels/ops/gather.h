// Values from nodes to edges and sums from edges to nodes: an adjoint pair.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// Which node each edge belongs to, and the edges of each node, prepared once for a graph. Edges
// that are sorted by node need no table: their nodes' edges lie together.
class SegmentIndex {
 public:
  // index [edges], i32 or i64, host memory: the node of each edge. `name` is for the messages.
  // Error(shape): not one-dimensional, of another type, or more than 2^31 - 1 edges or nodes. Error(data): an index outside [0, nodes), with its place.
  SegmentIndex(const Tensor& index, int64_t nodes, const std::string& name = "index");

  // From such tables (below), wherever they lie: say, constants of a network (layers/edges.h).
  SegmentIndex(Tensor index, Tensor offsets, Tensor order)
      : index_(std::move(index)), offsets_(std::move(offsets)), order_(std::move(order)) {}

  int64_t nodes() const { return offsets_.numel() - 1; }
  int64_t edges() const { return index_.numel(); }
  bool sorted() const { return !order_.defined(); }
  // The same with its tables in the memory of a device, which the ops of that device need.
  SegmentIndex on(Device device, MemoryLedger* ledger = nullptr) const;
  // Node n has the edges order[offsets[n]] .. order[offsets[n + 1] - 1], in rising order.
  const Tensor& index() const { return index_; }      // [edges] i32
  const Tensor& offsets() const { return offsets_; }  // [nodes + 1] i32
  const Tensor& order() const { return order_; }      // [edges] i32; undefined if sorted

 private:
  Tensor index_, offsets_, order_;
};

//   y[b, e, c] = x[b, index[e], c]
// x [batch, nodes, channels] -> [batch, edges, channels]. The gradient is a segment_sum:
// no atomic additions, the order of each sum is fixed.
Tensor gather(Context& context, const Tensor& x, const SegmentIndex& index);

//   y[b, n, c] = sum of x[b, e, c] over the edges e of node n in rising order; 0 without edges
// x [batch, edges, channels] -> [batch, nodes, channels]. The gradient is a gather.
Tensor segment_sum(Context& context, const Tensor& x, const SegmentIndex& index);
// The same divided by the number of edges of the node (0 without edges).
Tensor segment_mean(Context& context, const Tensor& x, const SegmentIndex& index);

// What an edge sees, with what its two nodes give:
//   y[b, e, c] = edges[b, e, c] + senders[b, from[e], c] + receivers[b, to[e], c]
// edges [batch, edges, channels], senders and receivers [batch, nodes, channels]. The gradients are
// dy itself and two segment_sums.
Tensor edge_sum(Context& context, Tensor edges, const Tensor& senders, const SegmentIndex& from,
                const Tensor& receivers, const SegmentIndex& to);

// f32, f64, bf16 (sums in f32, rounded once). Error(shape): x has not the sizes of the index.
// Error(internal): the index is in the memory of another device.

}  // namespace py4cast
