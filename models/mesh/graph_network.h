// What the graph networks share: settings, the way from the grid to a mesh and back, levels.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "layers/interaction_net.h"
#include "models/mesh/mesh_graph.h"
#include "models/model.h"

namespace py4cast {

enum class Aggregation { sum, mean };

struct GraphLamSettings : Settings {
  PY4CAST_SETTING(int64_t, hidden_dims, 64, "Features of nodes and edges.", .minimum = 1);
  PY4CAST_SETTING(int64_t, hidden_layers, 1, "Hidden layers of each perceptron.", .minimum = 0);
  PY4CAST_SETTING(int64_t, processor_layers, 4, "Rounds of messages on the mesh.", .minimum = 0);
  PY4CAST_SETTING(Aggregation, mesh_aggr, Aggregation::sum,
                  "What a node of graphlam's mesh takes of its messages.",
                  .choices = {"sum", "mean"});
  PY4CAST_SETTING(bool, use_checkpointing, false,
                  "Perceptrons are computed again in the backward pass: more time, and less memory "
                  "where several forecasts are made of one start.");
  PY4CAST_SETTING(std::string, graph, "",
                  "A netCDF file with the graph (py4cast model graph); empty: it is built.");
  PY4CAST_SETTING(Compatibility, compatibility, Compatibility::none,
                  "mfai: a built graph has the original's defects.", .choices = {"none", "mfai"});
  PY4CAST_SETTING(bool, offload_to_cpu, false, "Must be false; it is the original's key.");
  PY4CAST_SETTING(std::string, tmp_dir, "/tmp",
                  "The original's folder of graphs; not used, graphs are made in memory.");

  InteractionSettings interaction() const {
    return {.width = hidden_dims, .hidden_layers = hidden_layers, .recompute = use_checkpointing};
  }
};

// The graph of settings.graph, else the one built over the points of the ports, and the shapes of x
// and y. Error(configuration): no geometry, or offload_to_cpu; Error(data): a file that does not
// fit; others as of make_mesh_graph and mesh_graph_of.
struct GraphProblem {
  MeshGraph graph;
  Shape x, y;
};
GraphProblem graph_problem(const std::string& model, const Ports& ports,
                           const GraphLamSettings& settings, bool hierarchical,
                           const TensorReader& read);

// Features of nodes or edges, a constant, through a perceptron: once for all calls of the network in a forecast.
class Embedding {
 public:
  // features f32 [rows, n]
  Embedding(const Builder& builder, const Tensor& features, const GraphLamSettings& settings);
  // [batch, rows, hidden_dims], of the type.
  Tensor operator()(Context& context, int64_t batch, DataType type) const;

 private:
  const Constant* features_;
  Mlp mlp_;
};

//   grid = grid_embedder(x)
//   mesh = process(g2m_gnn(from grid to mesh_embedding))
//   grid = grid + encoding_grid_mlp(grid)
//   y    = output_map(m2g_gnn(from mesh to grid))
//
// with x's points row by row. Features of edges are divided by the longest edge within a level.
class GraphNetwork : public Model {
 public:
  TensorMap forward(Context& context, const TensorMap& inputs) const override;

 protected:
  GraphNetwork(const Builder& builder, const GraphProblem& problem,
               const GraphLamSettings& settings);

  // Of level 0: [batch, nodes, hidden_dims].
  virtual Tensor mesh_embedding(Context& context, int64_t batch, DataType type) const = 0;
  // The same after all rounds.
  virtual Tensor process(Context& context, Tensor mesh) const = 0;

 private:
  Shape y_;
  Mlp grid_embedder_;
  Embedding g2m_embedder_, m2g_embedder_;
  InteractionNet g2m_gnn_;
  Mlp encoding_grid_mlp_;
  InteractionNet m2g_gnn_;
  Mlp output_map_;
};

// Levels of their own above level 0:
//
//   node[l], up[l - 1] = init_l(from node[l - 1] to node[l] along up[l - 1]),   l = 1 ... L - 1
//   the rounds of process_levels
//   node[l] = read_l(from node[l + 1] to node[l] along down[l]),                l = L - 2 ... 0
class HierarchicalNetwork : public GraphNetwork {
 protected:
  HierarchicalNetwork(const Builder& builder, const GraphProblem& problem,
                      const GraphLamSettings& settings);

  struct Levels {
    std::vector<Tensor> nodes, same, up, down;
  };
  virtual void process_levels(Context& context, Levels& levels) const = 0;

  std::vector<Edges> same_edges_, up_edges_, down_edges_;

 private:
  Tensor mesh_embedding(Context& context, int64_t batch, DataType type) const override;
  Tensor process(Context& context, Tensor mesh) const override;

  std::vector<Embedding> node_embedders_, same_embedders_, up_embedders_, down_embedders_;
  std::vector<InteractionNet> init_, read_;
};

// Features of edges as networks take them: divided by the longest edge within a level.
Tensor scaled_features(const MeshGraph& graph, const EdgeSet& edges);

// The kind of a network of that class.
template <typename Network>
ModelKind graph_kind(const std::string& name, bool hierarchical, const TensorReader& read) {
  const auto problem = [=](const Ports& ports, const GraphLamSettings& settings) {
    return graph_problem(name, ports, settings, hierarchical, read);
  };
  return {.name = name,
          .settings = &table_of<GraphLamSettings>(),
          .make =
              [=](const Builder& builder, const Ports& ports, const Json& json) {
                const auto settings = read_settings<GraphLamSettings>(json);
                return std::make_unique<Network>(builder, problem(ports, settings), settings);
              },
          .graph =
              [=](const Ports& ports, const Json& json) {
                return tensors_of(problem(ports, read_settings<GraphLamSettings>(json)).graph);
              }};
}

// One for each of some edge sets: "0", "1", ... below the builder's path.
std::vector<InteractionNet> interactions(const Builder& builder, const std::vector<Edges>& edges,
                                         const GraphLamSettings& settings);

}  // namespace py4cast
