#include "kernels/ops/gather.h"

#include <algorithm>
#include <limits>

#include "engine/cuda.h"
#include "engine/parameters.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/gather_kernels.h"

namespace py4cast {
namespace {

Tensor gather_edges(Context& context, const Tensor& x, const SegmentIndex& index, bool mean);

void check_sizes(const Context& context, const char* op, const Tensor& x, const SegmentIndex& index,
                 const char* what, int64_t count) {
  if (x.rank() != 3 || x.size(1) != count)
    throw shape_error(context, op, ": x is ", x.shape(), " but must be [batch, ", count,
                      ", channels]: the index has ", count, " ", what);
  if (index.index().device() != context.device)
    throw Error(ErrorKind::internal, op, ": the index is in the memory of ", index.index().device(),
                ", not of ", context.device);
}

Tensor sum_edges(Context& context, const Tensor& x, const SegmentIndex& index, bool mean) {
  const char* const op = mean ? "segment_mean" : "segment_sum";
  check_sizes(context, op, x, index, "edges", index.edges());
  Tensor y = context.empty({x.size(0), index.nodes(), x.size(2)}, x.type());
  run_kernel<SegmentSum>(context, op, x.type(), x, index.order(), index.offsets(), x.size(0), mean,
                         y);
  const double flops = per_element(x) + (mean ? per_element(y) : 0);
  return record(context, {op, flops}, {x, index.index()}, std::move(y),
                [index, mean](Context& inner, Gradients dy, const Needed&) -> Gradients {
                  return {gather_edges(inner, dy[0], index, mean), Tensor()};
                });
}

Tensor gather_edges(Context& context, const Tensor& x, const SegmentIndex& index, bool mean) {
  check_sizes(context, "gather", x, index, "nodes", index.nodes());
  Tensor y = context.empty({x.size(0), index.edges(), x.size(2)}, x.type());
  run_kernel<Gather>(context, "gather", x.type(), x, index.index(), index.offsets(), x.size(0),
                     mean, y);
  const double flops = mean ? per_element(y) : 0;
  return record(context, {"gather", flops, {{"mean", mean}}}, {x, index.index()}, std::move(y),
                [index, mean](Context& inner, Gradients dy, const Needed&) -> Gradients {
                  return {sum_edges(inner, dy[0], index, mean), Tensor()};
                });
}

}  // namespace

SegmentIndex::SegmentIndex(const Tensor& index, int64_t nodes, const std::string& name) {
  if (index.rank() != 1 || (index.type() != DataType::i32 && index.type() != DataType::i64))
    throw Error(ErrorKind::shape, name, " is ", name_of(index.type()), " ", index.shape(),
                " but must be i32 or i64 [edges]");
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  if (index.numel() > most || nodes < 0 || nodes > most)
    throw Error(ErrorKind::shape, name, " has ", index.numel(), " edges and ", nodes,
                " nodes; the most is ", most);
  const Tensor wide = converted(index, DataType::i64);
  const auto node_of = wide.span<int64_t>();
  offsets_ = host_tensor({nodes + 1}, DataType::i32);
  const auto offsets = offsets_.span<int32_t>();
  for (size_t e = 0; e < node_of.size(); ++e) {
    if (node_of[e] < 0 || node_of[e] >= nodes)
      throw Error(ErrorKind::data, name, ": edge ", e, " has node ", node_of[e], " but there are ",
                  nodes, " nodes");
    ++offsets[static_cast<size_t>(node_of[e]) + 1];
  }
  for (size_t n = 1; n < offsets.size(); ++n) offsets[n] += offsets[n - 1];
  index_ = converted(index, DataType::i32);
  if (std::is_sorted(node_of.begin(), node_of.end())) return;
  order_ = host_tensor(index.shape(), DataType::i32);
  std::vector<int32_t> next(offsets.begin(), offsets.end());
  for (size_t e = 0; e < node_of.size(); ++e)
    order_.data<int32_t>()[next[static_cast<size_t>(node_of[e])]++] = static_cast<int32_t>(e);
}

SegmentIndex SegmentIndex::on(Device device, MemoryLedger* ledger) const {
  const auto moved = [&](const Tensor& table) {
    if (!table.defined() || table.device() == device) return table;
    const Tensor result =
        device.kind == DeviceKind::cpu
            ? host_tensor(table.shape(), table.type())
            : Tensor(allocate_device(table.bytes(), device, ledger, Owner::other, "edges"),
                     table.type(), table.shape());
    copy(table, result);
    return result;
  };
  return {moved(index_), moved(offsets_), moved(order_)};
}

Tensor gather(Context& context, const Tensor& x, const SegmentIndex& index) {
  return gather_edges(context, x, index, false);
}

Tensor edge_sum(Context& context, Tensor edges, const Tensor& senders, const SegmentIndex& from,
                const Tensor& receivers, const SegmentIndex& to) {
  check_sizes(context, "edge_sum", edges, from, "edges", from.edges());
  check_sizes(context, "edge_sum", edges, to, "edges", to.edges());
  check_sizes(context, "edge_sum", senders, from, "nodes", from.nodes());
  check_sizes(context, "edge_sum", receivers, to, "nodes", to.nodes());
  for (const Tensor* x : {&senders, &receivers})
    if (x->type() != edges.type() || x->size(0) != edges.size(0) || x->size(2) != edges.size(2))
      throw shape_error(context, "edge_sum: edges are ", edges.shape(), ", senders ",
                        senders.shape(), " and receivers ", receivers.shape(),
                        "; they must agree in batch, channels and type");
  Tensor y = reuse_or_empty(context, edges);
  run_kernel<EdgeSum>(context, "edge_sum", edges.type(), edges, senders, receivers, from.index(),
                      to.index(), edges.size(0), y);
  return record(context, {"edge_sum", 2 * per_element(edges)},
                {edges, senders, receivers, from.index(), to.index()}, std::move(y),
                [from, to](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
                  return {dy[0], needed[1] ? segment_sum(inner, dy[0], from) : Tensor(),
                          needed[2] ? segment_sum(inner, dy[0], to) : Tensor(), Tensor(), Tensor()};
                });
}

Tensor segment_sum(Context& context, const Tensor& x, const SegmentIndex& index) {
  return sum_edges(context, x, index, false);
}

Tensor segment_mean(Context& context, const Tensor& x, const SegmentIndex& index) {
  return sum_edges(context, x, index, true);
}

}  // namespace py4cast
