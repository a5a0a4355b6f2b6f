#include "models/hi_lam.h"

#include <nlohmann/json.hpp>

#include "models/mesh/graph_network.h"

namespace py4cast {
namespace {

class HiLam : public HierarchicalNetwork {
 public:
  HiLam(const Builder& builder, const GraphProblem& problem, const GraphLamSettings& settings)
      : HierarchicalNetwork(builder, problem, settings) {
    const auto rounds = [&](const char* name, const std::vector<Edges>& edges) {
      Rounds result;
      for (int64_t p = 0; p < settings.processor_layers; ++p)
        result.push_back(
            interactions(builder.child(name).child(std::to_string(p)), edges, settings));
      return result;
    };
    down_ = rounds("mesh_down_gnns", down_edges_);
    down_same_ = rounds("mesh_down_same_gnns", same_edges_);
    up_ = rounds("mesh_up_gnns", up_edges_);
    up_same_ = rounds("mesh_up_same_gnns", same_edges_);
  }

 private:
  using Rounds = std::vector<std::vector<InteractionNet>>;  // by round, level

  void process_levels(Context& context, Levels& levels) const override {
    auto& [node, same, up, down] = levels;
    const size_t top = node.size() - 1;
    for (size_t p = 0; p < down_.size(); ++p) {
      {
        Scope scope(context, "mesh_down_gnns");
        down_same_[p][top].update(context, node[top], node[top], same[top]);
        for (size_t l = top; l-- > 0;) {
          down_[p][l].update(context, node[l + 1], node[l], down[l]);
          down_same_[p][l].update(context, node[l], node[l], same[l]);
        }
      }
      Scope scope(context, "mesh_up_gnns");
      up_same_[p][0].update(context, node[0], node[0], same[0]);
      for (size_t l = 1; l <= top; ++l) {
        up_[p][l - 1].update(context, node[l - 1], node[l], up[l - 1]);
        up_same_[p][l].update(context, node[l], node[l], same[l]);
      }
    }
  }

  Rounds down_, down_same_, up_, up_same_;
};

}  // namespace

ModelKind hi_lam(const TensorReader& read) {
  return graph_kind<HiLam>("hilam", true, read);
}

}  // namespace py4cast
