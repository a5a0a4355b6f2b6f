#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/error.h"
#include "engine/parameters.h"
#include "models/mesh/mesh_graph.h"

namespace py4cast {
namespace {

// The tensors of a file, with what must be true of them.
class File {
 public:
  File(const TensorMap& tensors, const std::string& origin) : tensors_(tensors), origin_(origin) {}

  bool has(const std::string& name) const { return tensors_.contains(name); }

  // [count, columns]; count < 0: any.
  Tensor table(const std::string& name, int64_t count, int64_t columns) const {
    const Tensor& table = find(name);
    if (table.rank() != 2 || table.size(1) != columns || (count >= 0 && table.size(0) != count))
      throw Error(ErrorKind::data, origin_, ": ", name, " is ", table.shape(), " but must be [",
                  count < 0 ? "nodes" : std::to_string(count), ", ", columns, "]");
    const Tensor result = converted(table, DataType::f32);
    if (!std::ranges::all_of(result.span<float>(), [](float x) { return std::isfinite(x); }))
      throw Error(ErrorKind::data, origin_, ": ", name, " has a value that is not finite");
    return result;
  }

  // i64 [2, edges]
  Tensor index(const std::string& name) const {
    const Tensor& given = find(name);
    if (given.rank() != 2 || given.size(0) != 2)
      throw Error(ErrorKind::data, origin_, ": ", name, " is ", given.shape(),
                  " but must be [2, edges]");
    const Tensor wide = converted(given, DataType::f64);
    for (const double value : wide.span<double>())
      if (std::trunc(value) != value || !(std::abs(value) < 0x1p31))
        throw Error(ErrorKind::data, origin_, ": ", name, ": ", value, " is no number of a node");
    return converted(given, DataType::i64);
  }

  // Each point receives from the mesh, and there are so many of them.
  void check_points(int64_t points) const {
    const Tensor given = index("m2g_edge_index");
    const std::span<const int64_t> ends = given.span<int64_t>().subspan(given.numel() / 2);
    std::vector<int64_t> receivers(ends.begin(), ends.end());
    std::ranges::sort(receivers);
    receivers.erase(std::unique(receivers.begin(), receivers.end()), receivers.end());
    const int64_t found = receivers.empty() ? 0 : receivers.back() + 1;
    if (found != points)
      throw Error(ErrorKind::data, origin_, ": the graph is over ", found,
                  " points, but the data have ", points);
    int64_t next = 0;
    for (const int64_t point : receivers)
      if (point != next++)
        throw Error(ErrorKind::data, origin_, ": m2g_edge_index: point ", next - 1,
                    " receives nothing from the mesh");
  }

  // An edge set between so many nodes, sorted.
  EdgeSet edges(const std::string& name, int64_t senders, int64_t receivers) const {
    const std::string index_name = name + "_edge_index";
    const Tensor given = index(index_name);
    const int64_t count = given.size(1);
    const int64_t *const from = given.data<int64_t>(), *const to = from + count;
    check_nodes(index_name, "sender", {from, to}, senders);
    check_nodes(index_name, "receiver", {to, to + count}, receivers);
    const Tensor features = table(name + "_features", count, 3);
    std::vector<int64_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](int64_t e) { return std::pair(to[e], from[e]); });
    EdgeSet set{host_tensor({2, count}, DataType::i32), host_tensor({count, 3}, DataType::f32)};
    int32_t* const sorted = set.index.data<int32_t>();
    for (int64_t e = 0; e < count; ++e) {
      const int64_t old = order[static_cast<size_t>(e)];
      sorted[e] = static_cast<int32_t>(from[old]);
      sorted[count + e] = static_cast<int32_t>(to[old]);
      std::copy_n(features.data<float>() + 3 * old, 3, set.features.data<float>() + 3 * e);
    }
    return set;
  }

 private:
  const Tensor& find(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found != tensors_.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [other, tensor] : tensors_) names.push_back(other);
    throw Error(ErrorKind::data, origin_, ": there is no '", name, "'; the nearest is '",
                nearest_name(name, names), "'");
  }
  void check_nodes(const std::string& name, const char* what, std::span<const int64_t> nodes,
                   int64_t count) const {
    for (size_t e = 0; e < nodes.size(); ++e)
      if (nodes[e] < 0 || nodes[e] >= count)
        throw Error(ErrorKind::data, origin_, ": ", name, ": ", what, " ", nodes[e], " of edge ", e,
                    " is none of 0 ... ", count - 1);
  }

  const TensorMap& tensors_;
  const std::string& origin_;
};

std::string numbered(const char* name, int64_t level) {
  return std::string(name) + "_" + std::to_string(level);
}

}  // namespace

TensorMap tensors_of(const MeshGraph& graph) {
  TensorMap tensors;
  const auto add = [&](const std::string& name, const EdgeSet& edges) {
    tensors[name + "_edge_index"] = edges.index;
    tensors[name + "_features"] = edges.features;
  };
  add("g2m", graph.g2m);
  add("m2g", graph.m2g);
  for (int64_t level = 0; level < graph.levels(); ++level) {
    const auto l = static_cast<size_t>(level);
    tensors[numbered("mesh", level) + "_features"] = graph.nodes[l];
    add(numbered("m2m", level), graph.m2m[l]);
    if (l < graph.up.size()) {
      add(numbered("mesh_up", level), graph.up[l]);
      add(numbered("mesh_down", level), graph.down[l]);
    }
  }
  return tensors;
}

MeshGraph mesh_graph_of(const TensorMap& tensors, int64_t points, const std::string& origin) {
  const File file(tensors, origin);
  MeshGraph graph;
  do {
    graph.nodes.push_back(file.table(numbered("mesh", graph.levels()) + "_features", -1, 2));
  } while (file.has(numbered("mesh", graph.levels()) + "_features"));
  const auto nodes = [&](int64_t level) { return graph.nodes[static_cast<size_t>(level)].size(0); };
  file.check_points(points);
  graph.g2m = file.edges("g2m", points, nodes(0));
  graph.m2g = file.edges("m2g", nodes(0), points);
  for (int64_t level = 0; level < graph.levels(); ++level) {
    graph.m2m.push_back(file.edges(numbered("m2m", level), nodes(level), nodes(level)));
    if (level + 1 == graph.levels()) break;
    graph.up.push_back(file.edges(numbered("mesh_up", level), nodes(level), nodes(level + 1)));
    graph.down.push_back(file.edges(numbered("mesh_down", level), nodes(level + 1), nodes(level)));
  }
  if (!(graph.longest_edge() > 0))
    throw Error(ErrorKind::data, origin, ": no edge of m2m has a length, the first of its three ",
                "features: networks take features in units of the longest one");
  return graph;
}

TensorMap mfai_buffers(const TensorMap& tensors, const std::string& origin) {
  const File file(tensors, origin);
  MeshGraph mesh;  // what of it decides on numbers and lengths
  int64_t nodes = 0;
  do {
    const int64_t level = mesh.levels();
    mesh.nodes.push_back(file.table(numbered("mesh", level) + "_features", -1, 2));
    mesh.m2m.push_back({{}, file.table(numbered("m2m", level) + "_features", -1, 3)});
    nodes += mesh.nodes.back().size(0);
  } while (file.has(numbered("mesh", mesh.levels()) + "_features"));
  const float longest = mesh.longest_edge();
  TensorMap buffers;
  for (const auto& [name, of_points] : {std::pair<std::string, int64_t>{"g2m", 0}, {"m2g", 1}}) {
    const Tensor index = file.index(name + "_edge_index"),
                 numbers = host_tensor(index.shape(), DataType::i64),
                 features = file.table(name + "_features", index.size(1), 3),
                 scaled = host_tensor(features.shape(), DataType::f32);
    for (int64_t e = 0; e < index.numel(); ++e)
      numbers.data<int64_t>()[e] =
          index.data<int64_t>()[e] + (e / index.size(1) == of_points ? nodes : 0);
    std::ranges::transform(features.span<float>(), scaled.data<float>(),
                           [longest](float feature) { return feature / longest; });
    buffers[name + "_edge_index"] = numbers;
    buffers[name + "_features"] = scaled;
  }
  return buffers;
}

}  // namespace py4cast
