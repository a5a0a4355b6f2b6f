#include "models/hi_lam_parallel.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernels/ops/views.h"
#include "models/mesh/graph_network.h"

namespace py4cast {
namespace {

// The edges of several sets with the numbers of their nodes among those of all levels.
class JoinedEdges {
 public:
  void add(const EdgeSet& set, int64_t first_sender, int64_t first_receiver) {
    const auto index = set.index.span<int32_t>();
    for (size_t e = 0; e < index.size() / 2; ++e) {
      senders_.push_back(index[e] + static_cast<int32_t>(first_sender));
      receivers_.push_back(index[index.size() / 2 + e] + static_cast<int32_t>(first_receiver));
    }
    counts.push_back(set.count());
  }
  Tensor index() const {
    const Tensor result = host_tensor({2, static_cast<int64_t>(senders_.size())}, DataType::i32);
    std::ranges::copy(receivers_, std::ranges::copy(senders_, result.data<int32_t>()).out);
    return result;
  }

  std::vector<int64_t> counts;  // edges of each set

 private:
  std::vector<int32_t> senders_, receivers_;
};

class HiLamParallel : public HierarchicalNetwork {
 public:
  HiLamParallel(const Builder& builder, const GraphProblem& problem,
                const GraphLamSettings& settings)
      : HierarchicalNetwork(builder, problem, settings) {
    const MeshGraph& graph = problem.graph;
    std::vector<int64_t> first;  // node of each level
    int64_t nodes = 0;
    for (const Tensor& level : graph.nodes) {
      first.push_back(nodes);
      node_counts_.push_back(level.size(0));
      nodes += level.size(0);
    }
    JoinedEdges joined;
    for (size_t l = 0; l < graph.m2m.size(); ++l) joined.add(graph.m2m[l], first[l], first[l]);
    for (size_t l = 0; l < graph.up.size(); ++l) joined.add(graph.up[l], first[l], first[l + 1]);
    for (size_t l = 0; l < graph.down.size(); ++l)
      joined.add(graph.down[l], first[l + 1], first[l]);
    edge_counts_ = joined.counts;
    const Edges edges(builder.child("mesh_edges"), joined.index(), nodes, nodes);
    InteractionSettings interaction = settings.interaction();
    interaction.edge_chunks = edge_counts_;
    interaction.node_chunks = node_counts_;
    for (int64_t p = 0; p < settings.processor_layers; ++p)
      processor_.emplace_back(builder.child("processor").child("module_" + std::to_string(p)),
                              edges, interaction);
  }

 private:
  void process_levels(Context& context, Levels& levels) const override {
    Scope scope(context, "processor");
    Tensor nodes = concat(context, levels.nodes, 1);
    std::vector<Tensor> sets = levels.same;
    sets.insert(sets.end(), levels.up.begin(), levels.up.end());
    sets.insert(sets.end(), levels.down.begin(), levels.down.end());
    Tensor edges = concat(context, sets, 1);
    for (const InteractionNet& net : processor_) net.update(context, nodes, nodes, edges);
    levels.nodes = parts(context, nodes, node_counts_);
    const std::vector<Tensor> all = parts(context, edges, edge_counts_);
    const auto down = static_cast<ptrdiff_t>(all.size() - levels.down.size());
    levels.down.assign(all.begin() + down, all.end());  // the only ones that are used again
  }

  static std::vector<Tensor> parts(Context& context, const Tensor& x,
                                   const std::vector<int64_t>& counts) {
    std::vector<Tensor> result;
    int64_t begin = 0;
    for (int64_t count : counts) {
      result.push_back(narrow(context, x, 1, begin, count));
      begin += count;
    }
    return result;
  }

  std::vector<int64_t> node_counts_, edge_counts_;
  std::vector<InteractionNet> processor_;
};

}  // namespace

ModelKind hi_lam_parallel(const TensorReader& read) {
  return graph_kind<HiLamParallel>("hilamparallel", true, read);
}

}  // namespace py4cast
