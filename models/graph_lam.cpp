#include "models/graph_lam.h"

#include <nlohmann/json.hpp>

#include "models/mesh/graph_network.h"

namespace py4cast {
namespace {

class GraphLam : public GraphNetwork {
 public:
  GraphLam(const Builder& builder, const GraphProblem& problem, const GraphLamSettings& settings)
      : GraphNetwork(builder, problem, settings),
        mesh_embedder_(builder.child("mesh_embedder"), problem.graph.nodes[0], settings),
        m2m_embedder_(builder.child("m2m_embedder"),
                      scaled_features(problem.graph, problem.graph.m2m[0]), settings) {
    const int64_t nodes = problem.graph.nodes[0].size(0);
    const Edges edges(builder.child("m2m_edges"), problem.graph.m2m[0].index, nodes, nodes);
    InteractionSettings interaction = settings.interaction();
    interaction.mean = settings.mesh_aggr == Aggregation::mean;
    for (int64_t p = 0; p < settings.processor_layers; ++p)
      processor_.emplace_back(builder.child("processor").child("module_" + std::to_string(p)),
                              edges, interaction);
  }

 private:
  Tensor mesh_embedding(Context& context, int64_t batch, DataType type) const override {
    Scope scope(context, "mesh_embedder");
    return scope.result(mesh_embedder_(context, batch, type));
  }

  Tensor process(Context& context, Tensor mesh) const override {
    Tensor edges = m2m_embedder_(context, mesh.size(0), mesh.type());
    Scope scope(context, "processor");
    for (const InteractionNet& net : processor_) net.update(context, mesh, mesh, edges);
    return scope.result(std::move(mesh));
  }

  Embedding mesh_embedder_, m2m_embedder_;
  std::vector<InteractionNet> processor_;
};

}  // namespace

ModelKind graph_lam(const TensorReader& read) {
  return graph_kind<GraphLam>("graphlam", false, read);
}

}  // namespace py4cast
