#include "layers/edges.h"

#include "engine/error.h"

namespace py4cast {
namespace {

Tensor row_of(const Builder& builder, const Tensor& index, int64_t row) {
  if (index.rank() != 2 || index.size(0) != 2)
    throw Error(ErrorKind::shape, builder.path(), ": edges are ", index.shape(),
                " but must be [2, edges]");
  const int64_t edges = index.size(1);
  return index.viewed({edges}, {1}, row * edges);
}

}  // namespace

Edges::Edges(const Builder& builder, const Tensor& index, int64_t senders, int64_t receivers)
    : senders_(builder.child("senders"), row_of(builder, index, 0), senders),
      receivers_(builder.child("receivers"), row_of(builder, index, 1), receivers) {}

Edges::End::End(const Builder& builder, const Tensor& nodes_of_edges, int64_t nodes) {
  const SegmentIndex tables(nodes_of_edges, nodes, builder.path());
  index_ = &builder.constant("index", tables.index());
  offsets_ = &builder.constant("offsets", tables.offsets());
  if (!tables.sorted()) order_ = &builder.constant("order", tables.order());
}

}  // namespace py4cast
