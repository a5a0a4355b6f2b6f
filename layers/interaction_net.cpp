#include "layers/interaction_net.h"

#include <optional>

#include "engine/kept_values.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/views.h"
#include "kernels/products/grouped_linear.h"
#include "kernels/products/linear.h"

namespace py4cast {
namespace {

// Of an Mlp that takes `inputs` tensors of features one beside another.
std::vector<int64_t> widths(const InteractionSettings& settings, int64_t inputs) {
  std::vector<int64_t> result(static_cast<size_t>(settings.hidden_layers + 2), settings.width);
  result[0] = inputs * settings.width;
  return result;
}

// One Mlp of two layers, whose first product is split: rows of the first weight for each of its inputs,
// and the weights for the one whose product is not made before.
struct Split {
  std::vector<Tensor> rows;
  MlpWeights weights;
};
std::optional<Split> split(Context& context, const Mlp* mlp, std::initializer_list<int64_t> inputs,
                           size_t own) {
  if (!mlp || mlp->layers() != 2) return {};
  Split result{mlp->first().rows(context, inputs), mlp->last(context)};
  result.weights.first = result.rows[own];
  result.weights.first_bias = mlp->first().bias(context);
  return result;
}

// Receivers with what they got added. `parts`: of the Mlp; `own`: the product of the receivers with the rows of
// its first weight that are theirs, if it is made already.
Tensor received(Context& context, const SplitMlp& perceptron, const std::optional<Split>& parts,
                const Tensor& receivers, const Tensor& sums, Tensor own = {}) {
  if (parts) {
    if (!own.defined()) own = linear(context, receivers, parts->rows[0]);
    return mlp_update(context, sums, own, receivers, parts->weights);
  }
  const Mlp* mlp = perceptron.alone();
  if (!mlp)
    return add(context, receivers, perceptron(context, concat(context, {receivers, sums}, -1)));
  const Linear& first = mlp->first();
  const std::vector<Tensor> weights = first.rows(context, {receivers.size(-1), sums.size(-1)});
  return add(
      context, receivers,
      mlp->rest(context, add(context, linear(context, receivers, weights[0], first.bias(context)),
                             linear(context, sums, weights[1]))));
}

// Products of the nodes with the first layers of both Mlps.
struct NodeProducts {
  NodeRows senders, receivers;
  Tensor own;  // of the receivers with the second Mlp's; perhaps undefined
};
NodeProducts products_of(Context& context, bool of_grid, const Tensor& senders,
                         const Tensor& receivers, const Split& edge,
                         const std::optional<Split>& node) {
  if (!of_grid) {
    std::vector<RowsAndWeight> all{{senders, edge.rows[1]}, {receivers, edge.rows[2]}};
    if (node) all.push_back({receivers, node->rows[0]});
    const std::vector<Tensor> y = grouped_linear(context, all);
    return {y[0], y[1], node ? y[2] : Tensor()};
  }
  NodeProducts result{
      linear(context, senders, edge.rows[1]), linear(context, receivers, edge.rows[2]), {}};
  if (context.device.kind == DeviceKind::cpu) return result;
  result.senders.again = [senders, weight = edge.rows[1]](Context& inner) {
    return linear(inner, senders, weight);
  };
  result.receivers.again = [receivers, weight = edge.rows[2]](Context& inner) {
    return linear(inner, receivers, weight);
  };
  return result;
}

}  // namespace

SplitMlp::SplitMlp(const Builder& builder, const std::vector<int64_t>& widths, bool recompute,
                   std::vector<int64_t> chunks)
    : chunks_(std::move(chunks)) {
  if (chunks_.empty()) mlps_.emplace_back(builder, widths, true, recompute);
  for (size_t i = 0; i < chunks_.size(); ++i)
    mlps_.emplace_back(builder.child("mlps").child(std::to_string(i)), widths, true, recompute);
}

Tensor SplitMlp::operator()(Context& context, const Tensor& x) const {
  if (chunks_.empty()) return mlps_[0](context, x);
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (size_t i = 0; i < chunks_.size(); ++i) {
    parts.push_back(mlps_[i](context, narrow(context, x, 1, begin, chunks_[i])));
    begin += chunks_[i];
  }
  return concat(context, parts, 1);
}

InteractionNet::InteractionNet(const Builder& builder, const Edges& edges,
                               const InteractionSettings& settings)
    : edges_(edges),
      mean_(settings.mean),
      of_grid_(settings.of_grid),
      edges_once_(settings.of_grid && !settings.recompute),
      edge_mlp_(builder.child("edge_mlp"), widths(settings, 3), settings.recompute,
                settings.edge_chunks),
      aggregation_mlp_(builder.child("aggr_mlp"), widths(settings, 2), settings.recompute,
                       settings.node_chunks) {}

Tensor InteractionNet::messages(Context& context, const Tensor& senders, const Tensor& receivers,
                                const Tensor& edges) const {
  const SegmentIndex from = edges_.senders(), to = edges_.receivers();
  // Products with senders and receivers are made once for each node, and nothing is joined.
  if (const Mlp* mlp = edge_mlp_.alone()) {
    const int64_t width = edges.size(-1);
    const Linear& first = mlp->first();
    const std::vector<Tensor> weights = first.rows(context, {width, width, width});
    return mlp->rest(context,
                     edge_sum(context, linear(context, edges, weights[0], first.bias(context)),
                              linear(context, senders, weights[1]), from,
                              linear(context, receivers, weights[2]), to));
  }
  return edge_mlp_(
      context,
      concat(context, {edges, gather(context, senders, from), gather(context, receivers, to)}, -1));
}

Tensor InteractionNet::sums(Context& context, const Tensor& messages) const {
  return mean_ ? segment_mean(context, messages, edges_.receivers())
               : segment_sum(context, messages, edges_.receivers());
}

Tensor InteractionNet::operator()(Context& context, const Tensor& senders, const Tensor& receivers,
                                  const std::function<Tensor()>& edges) const {
  const int64_t width = receivers.size(-1);
  auto edge = split(context, edge_mlp_.alone(), {width, width, width}, 0);
  const auto node = split(context, aggregation_mlp_.alone(), {width, width}, 1);
  if (!edge)
    return received(context, aggregation_mlp_, node, receivers,
                    sums(context, messages(context, senders, receivers, edges())));
  Tensor x;
  if (edges_once_ && context.kept) {
    Tensor &first = edge->weights.first, &bias = edge->weights.first_bias;
    x = once(context, this, receivers.size(0), receivers.type(),
             [&] { return linear(context, edges(), first, bias); });
    first = bias = {};
  } else {
    x = edges();
  }
  const NodeProducts products = products_of(context, of_grid_, senders, receivers, *edge, node);
  return received(context, aggregation_mlp_, node, receivers,
                  message_sums(context, x, products.senders, edges_.senders(), products.receivers,
                               edges_.receivers(), edge->weights, mean_),
                  products.own);
}

void InteractionNet::update(Context& context, const Tensor& senders, Tensor& receivers,
                            Tensor& edges) const {
  const int64_t width = edges.size(-1);
  const auto node = split(context, aggregation_mlp_.alone(), {width, width}, 1);
  if (const auto edge = split(context, edge_mlp_.alone(), {width, width, width}, 0)) {
    const NodeProducts products = products_of(context, of_grid_, senders, receivers, *edge, node);
    MessageUpdate both =
        message_update(context, edges, products.senders.rows, edges_.senders(),
                       products.receivers.rows, edges_.receivers(), edge->weights, mean_);
    receivers = received(context, aggregation_mlp_, node, receivers, both.sums, products.own);
    edges = std::move(both.rows);
    return;
  }
  const Tensor message = messages(context, senders, receivers, edges);
  receivers = received(context, aggregation_mlp_, node, receivers, sums(context, message));
  edges = add(context, edges, message);
}

}  // namespace py4cast
