#include "models/mesh/graph_network.h"

#include <algorithm>
#include <utility>

#include "engine/error.h"
#include "engine/kept_values.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "layers/shared_values.h"

namespace py4cast {
namespace {

// Of a perceptron that takes `in` features and gives `out`.
std::vector<int64_t> widths(int64_t in, int64_t out, const GraphLamSettings& settings) {
  std::vector<int64_t> result(static_cast<size_t>(settings.hidden_layers + 2),
                              settings.hidden_dims);
  result.front() = in;
  result.back() = out;
  return result;
}

Mlp perceptron(const Builder& builder, int64_t in, const GraphLamSettings& settings) {
  return {builder, widths(in, settings.hidden_dims, settings), true, settings.use_checkpointing};
}

std::vector<Embedding> embeddings(const Builder& builder, const std::vector<Tensor>& features,
                                  const GraphLamSettings& settings) {
  std::vector<Embedding> result;
  for (const Tensor& level : features)
    result.emplace_back(builder.child(std::to_string(result.size())), level, settings);
  return result;
}

std::vector<Tensor> features_by_level(const MeshGraph& graph, const std::vector<EdgeSet>& sets) {
  std::vector<Tensor> result;
  for (const EdgeSet& set : sets) result.push_back(scaled_features(graph, set));
  return result;
}

InteractionSettings of_grid(const GraphLamSettings& settings) {
  InteractionSettings result = settings.interaction();
  result.of_grid = true;
  return result;
}

// A number that a set of edges [2, edges] has whatever their order, with so much added to the numbers of
// senders and receivers.
uint64_t fingerprint_of(const Tensor& index, int64_t senders = 0, int64_t receivers = 0) {
  const Tensor wide = converted(index, DataType::i64);
  const auto numbers = wide.span<int64_t>();
  const size_t edges = numbers.size() / 2;
  uint64_t sum = 0;
  for (size_t e = 0; e < edges; ++e)
    sum += RandomKey{}.bits(static_cast<uint64_t>(numbers[e] + senders) << 32 ^
                            static_cast<uint64_t>(numbers[edges + e] + receivers));
  return sum;
}

// Of what a file of mfai holds: its nodes are numbered level by level, then the points.
ParameterSlab::Fault other_edges(const MeshGraph& graph, bool from_grid) {
  int64_t nodes = 0;
  for (const Tensor& level : graph.nodes) nodes += level.size(0);
  const EdgeSet& edges = from_grid ? graph.g2m : graph.m2g;
  const uint64_t own = fingerprint_of(edges.index, from_grid ? nodes : 0, from_grid ? 0 : nodes);
  return [own, shape = edges.index.shape()](const Tensor& theirs) -> std::string {
    const bool same =
        theirs.type() == DataType::i64 && theirs.shape() == shape && fingerprint_of(theirs) == own;
    return same ? ""
                : "is of another graph than this network's; 'model.settings.graph' names the "
                  "file of that graph";
  };
}

}  // namespace

GraphProblem graph_problem(const std::string& model, const Ports& ports,
                           const GraphLamSettings& settings, bool hierarchical,
                           const TensorReader& read) {
  if (settings.offload_to_cpu)
    throw Error(ErrorKind::configuration, model,
                ": 'model.settings.offload_to_cpu' must be false: ",
                "activations stay on the device; use_checkpointing saves memory");
  const auto [x, y] = field_to_field(ports, model, 2);
  const int64_t rows = x[0], columns = x[1];
  if (settings.graph.empty()) {
    if (!ports.geometry)
      throw Error(ErrorKind::configuration, model,
                  ": needs the coordinates of the grid's points, which the data do not have");
    const MeshSettings mesh{.hierarchical = hierarchical, .compatibility = settings.compatibility};
    return {make_mesh_graph(ports.geometry->coordinates, rows, columns, mesh), x, y};
  }
  if (!read)
    throw Error(ErrorKind::configuration, model,
                ": 'model.settings.graph': this program reads no graphs");
  MeshGraph graph = mesh_graph_of(read(settings.graph), rows * columns, settings.graph);
  if ((graph.levels() > 1) != hierarchical)
    throw Error(ErrorKind::data, settings.graph, ": the graph has ", graph.levels(), " level",
                graph.levels() > 1 ? "s" : "", ", but ", model, " needs ",
                hierarchical ? "several" : "one");
  return {std::move(graph), x, y};
}

Embedding::Embedding(const Builder& builder, const Tensor& features,
                     const GraphLamSettings& settings)
    : features_(&builder.constant("features", features)),
      mlp_(perceptron(builder, features.size(1), settings)) {}

Tensor Embedding::operator()(Context& context, int64_t batch, DataType type) const {
  const auto embedded = [&] {
    const Tensor y = shared_value(context, {this, type}, [this, type](Context& inner) {
      return mlp_(inner, cast(inner, features_->value(), type));
    });
    return broadcast(context, reshape(context, y, y.shape().inserted(0, 1)),
                     y.shape().inserted(0, batch));
  };
  return once(context, this, batch, type, embedded);
}

Tensor scaled_features(const MeshGraph& graph, const EdgeSet& edges) {
  const Tensor result = host_tensor(edges.features.shape(), DataType::f32);
  const float longest = graph.longest_edge();
  std::ranges::transform(edges.features.span<float>(), result.data<float>(),
                         [longest](float feature) { return feature / longest; });
  return result;
}

std::vector<InteractionNet> interactions(const Builder& builder, const std::vector<Edges>& edges,
                                         const GraphLamSettings& settings) {
  std::vector<InteractionNet> result;
  for (const Edges& set : edges)
    result.emplace_back(builder.child(std::to_string(result.size())), set, settings.interaction());
  return result;
}

GraphNetwork::GraphNetwork(const Builder& builder, const GraphProblem& problem,
                           const GraphLamSettings& settings)
    : y_(problem.y),
      grid_embedder_(perceptron(builder.child("grid_embedder"), problem.x.back(), settings)),
      g2m_embedder_(builder.child("g2m_embedder"),
                    scaled_features(problem.graph, problem.graph.g2m), settings),
      m2g_embedder_(builder.child("m2g_embedder"),
                    scaled_features(problem.graph, problem.graph.m2g), settings),
      g2m_gnn_(builder.child("g2m_gnn"),
               Edges(builder.child("g2m_edges"), problem.graph.g2m.index,
                     problem.x[0] * problem.x[1], problem.graph.nodes[0].size(0)),
               of_grid(settings)),
      encoding_grid_mlp_(
          perceptron(builder.child("encoding_grid_mlp"), settings.hidden_dims, settings)),
      m2g_gnn_(builder.child("m2g_gnn"),
               Edges(builder.child("m2g_edges"), problem.graph.m2g.index,
                     problem.graph.nodes[0].size(0), problem.x[0] * problem.x[1]),
               of_grid(settings)),
      output_map_(builder.child("output_map"),
                  widths(settings.hidden_dims, problem.y.back(), settings), false,
                  settings.use_checkpointing) {
  builder.unread("g2m_edge_index", other_edges(problem.graph, true));
  builder.unread("m2g_edge_index", other_edges(problem.graph, false));
  for (const char* name : {"g2m_features", "m2g_features"}) builder.unread(name);
}

TensorMap GraphNetwork::forward(Context& context, const TensorMap& inputs) const {
  const Tensor& x = inputs.at("x");
  const int64_t batch = x.size(0);
  const auto run = [&context](const char* name, const auto& module, const auto&... arguments) {
    Scope scope(context, name);
    return scope.result(module(context, arguments...));
  };
  const Tensor grid = run("grid_embedder", grid_embedder_,
                          reshape(context, x, {batch, x.size(1) * x.size(2), x.size(3)}));
  // Made where they are needed, as a module beside that one.
  const auto edges = [&](const char* name, const Embedding& embedder) {
    return [&, name, path = context.path] {
      const std::string inside = std::exchange(context.path, path);
      Tensor result = run(name, embedder, batch, x.type());
      context.path = inside;
      return result;
    };
  };
  Tensor mesh = run("g2m_gnn", g2m_gnn_, grid, mesh_embedding(context, batch, x.type()),
                    edges("g2m_embedder", g2m_embedder_));
  Tensor result = add(context, grid, run("encoding_grid_mlp", encoding_grid_mlp_, grid));
  mesh = process(context, std::move(mesh));
  result = run("m2g_gnn", m2g_gnn_, mesh, result, edges("m2g_embedder", m2g_embedder_));
  const Tensor y = run("output_map", output_map_, result);
  return {{"y", reshape(context, y, y_.inserted(0, batch))}};
}

HierarchicalNetwork::HierarchicalNetwork(const Builder& builder, const GraphProblem& problem,
                                         const GraphLamSettings& settings)
    : GraphNetwork(builder, problem, settings) {
  const MeshGraph& graph = problem.graph;
  const auto nodes = [&](size_t level) { return graph.nodes[level].size(0); };
  const auto numbered = [&](const char* name, size_t level) {
    return builder.child(name).child(std::to_string(level));
  };
  for (size_t l = 0; l < graph.m2m.size(); ++l)
    same_edges_.emplace_back(numbered("m2m_edges", l), graph.m2m[l].index, nodes(l), nodes(l));
  for (size_t l = 0; l < graph.up.size(); ++l) {
    up_edges_.emplace_back(numbered("mesh_up_edges", l), graph.up[l].index, nodes(l), nodes(l + 1));
    down_edges_.emplace_back(numbered("mesh_down_edges", l), graph.down[l].index, nodes(l + 1),
                             nodes(l));
  }
  const auto embedders = [&](const char* name, const std::vector<Tensor>& features) {
    return embeddings(builder.child(name), features, settings);
  };
  node_embedders_ = embedders("mesh_embedders", graph.nodes);
  same_embedders_ = embedders("mesh_same_embedders", features_by_level(graph, graph.m2m));
  up_embedders_ = embedders("mesh_up_embedders", features_by_level(graph, graph.up));
  down_embedders_ = embedders("mesh_down_embedders", features_by_level(graph, graph.down));
  init_ = interactions(builder.child("mesh_init_gnns"), up_edges_, settings);
  read_ = interactions(builder.child("mesh_read_gnns"), down_edges_, settings);
}

Tensor HierarchicalNetwork::mesh_embedding(Context& context, int64_t batch, DataType type) const {
  Scope scope(context, "mesh_embedders");
  return scope.result(node_embedders_[0](context, batch, type));
}

Tensor HierarchicalNetwork::process(Context& context, Tensor mesh) const {
  const int64_t batch = mesh.size(0);
  const DataType type = mesh.type();
  const auto embedded = [&](const char* name, const std::vector<Embedding>& embedders) {
    Scope scope(context, name);
    std::vector<Tensor> result;
    for (const Embedding& embedder : embedders) result.push_back(embedder(context, batch, type));
    return result;
  };
  Levels levels{{std::move(mesh)},
                embedded("mesh_same_embedders", same_embedders_),
                embedded("mesh_up_embedders", up_embedders_),
                embedded("mesh_down_embedders", down_embedders_)};
  for (size_t l = 1; l < node_embedders_.size(); ++l)
    levels.nodes.push_back(node_embedders_[l](context, batch, type));
  for (size_t l = 0; l < init_.size(); ++l) {
    Scope scope(context, "mesh_init_gnns");
    init_[l].update(context, levels.nodes[l], levels.nodes[l + 1], levels.up[l]);
  }
  process_levels(context, levels);
  for (size_t l = read_.size(); l-- > 0;) {
    Scope scope(context, "mesh_read_gnns");
    levels.nodes[l] = read_[l](context, levels.nodes[l + 1], levels.nodes[l], levels.down[l]);
  }
  return std::move(levels.nodes[0]);
}

}  // namespace py4cast
