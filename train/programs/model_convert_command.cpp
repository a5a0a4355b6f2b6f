// py4cast model convert
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/parameters.h"
#include "engine/safetensors.h"
#include "engine/tensor_map.h"
#include "models/mesh/mesh_graph.h"
#include "train/checkpoint.h"
#include "train/network.h"
#include "train/programs/commands.h"

namespace py4cast {
namespace {

// Limits that neural-lam sets to what a step gives; without limits its files hold them empty.
constexpr const char* limits[] = {
    "sigmoid_lower_lims",    "sigmoid_upper_lims", "softplus_lower_lims", "softplus_upper_lims",
    "clamp_lower_upper_idx", "clamp_lower_idx",    "clamp_upper_idx"};

// Each graph network has it.
constexpr const char* known_weight = "grid_embedder.0.weight";

// In neural-lam up edges have the features of sender - receiver, in mfai and here those of
// receiver - sender: the weights of both differences change their signs, the length's does not.
Tensor turned_round(const Tensor& weight) {
  const Tensor result =
      converted(weight, weight.type() == DataType::f64 ? DataType::f64 : DataType::f32);
  const auto turn = [&](auto numbers) {
    for (size_t i = 0; i < numbers.size(); ++i)
      if (i % static_cast<size_t>(weight.size(1)) > 0) numbers[i] = -numbers[i];
  };
  result.type() == DataType::f64 ? turn(result.span<double>()) : turn(result.span<float>());
  return converted(result, weight.type());
}

// Without what stands before the names (a Lightning module's own path), without graphs.
TensorMap plain_weights(const TensorMap& weights, const std::string& origin) {
  const std::string known = known_weight;
  const auto found = std::ranges::find_if(
      weights, [&](const auto& entry) { return entry.first.ends_with(known); });
  if (found == weights.end())
    throw Error(ErrorKind::data, origin, ": '", known,
                "' is missing: these are not the weights of a graph network");
  const std::string prefix = found->first.substr(0, found->first.size() - known.size());
  TensorMap result;
  for (const auto& [name, tensor] : weights) {
    if (!name.starts_with(prefix)) continue;
    const std::string own = name.substr(prefix.size());
    if (own.starts_with("g2m_") || own.starts_with("m2g_"))
      if (own.ends_with("_edge_index") || own.ends_with("_features")) continue;
    result[own] = tensor;
  }
  return result;
}

void drop_limits(TensorMap& weights, const std::string& origin) {
  for (const char* name : limits) {
    const auto entry = weights.extract(name);
    if (!entry)
      throw Error(ErrorKind::data, origin, ": '", name,
                  "' is missing: these are not the weights of neural-lam");
    if (entry.mapped().numel() > 0)
      throw Error(ErrorKind::data, origin, ": '", name, "' has ", entry.mapped().numel(),
                  " entries: the network keeps what it predicts within limits, which networks here "
                  "do not");
  }
}

void refuse_limits(const TensorMap& weights, const std::string& origin) {
  for (const char* name : limits)
    if (weights.contains(name))
      throw Error(ErrorKind::data, origin, ": has '", name,
                  "': these are the weights of neural-lam, not of mfai");
}

// How many of "<name>0.", "<name>1.", ... tensors stand below.
int64_t count_below(const TensorMap& weights, const std::string& name) {
  int64_t count = 0;
  const auto has = [&](const std::string& prefix) {
    const auto entry = weights.lower_bound(prefix);
    return entry != weights.end() && entry->first.starts_with(prefix);
  };
  while (has(name + std::to_string(count) + ".")) ++count;
  return count;
}

bool has_levels(const TensorMap& weights) {
  return count_below(weights, "mesh_embedders.") > 0;
}

// Of one point, with one node in each level.
TensorMap smallest_graph(int64_t levels) {
  const EdgeSet edge{host_tensor({2, 1}, DataType::i32), host_tensor({1, 3}, DataType::f32)};
  std::ranges::fill(edge.features.span<float>(), 1.0f);
  const auto count = static_cast<size_t>(levels);
  return tensors_of({.g2m = edge,
                     .m2g = edge,
                     .m2m = {count, edge},
                     .up = {count - 1, edge},
                     .down = {count - 1, edge},
                     .nodes = {count, host_tensor({1, 2}, DataType::f32)}});
}

// Error(data): they are not all tensors of a graph network, or not only those. Which network it is,
// the names and shapes tell.
void check_network(const TensorMap& weights, const std::string& origin) {
  const Tensor& first = weights.at(known_weight);
  if (first.rank() != 2 || first.numel() == 0)
    throw Error(ErrorKind::data, origin, ": '", known_weight, "' is ", first.shape(),
                " but must be a matrix");
  int64_t matrices = 0;  // of a perceptron, at each second place; a bias stands behind it
  while (weights.contains("output_map." + std::to_string(2 * matrices) + ".weight")) ++matrices;
  matrices = std::max<int64_t>(matrices, 1);
  const auto last = weights.find("output_map." + std::to_string(2 * matrices - 2) + ".bias");
  const bool known_outputs = last != weights.end() && last->second.numel() > 0;
  const int64_t modules = count_below(weights, "processor.module_"),
                rounds = count_below(weights, "mesh_down_gnns."),
                levels = has_levels(weights)
                             ? std::max<int64_t>(count_below(weights, "mesh_embedders."), 2)
                             : 1;
  const std::string kind = levels == 1 ? "graphlam" : rounds > 0 ? "hilam" : "hilamparallel";
  const Json settings = {{"graph", "the smallest"},
                         {"hidden_dims", first.size(0)},
                         {"hidden_layers", matrices - 1},
                         {"processor_layers", std::max(modules, rounds)}};
  const Ports ports = field_ports(1, 1, first.size(1), known_outputs ? last->second.numel() : 1);
  Network network(built_in_models([&](const std::string&) { return smallest_graph(levels); }), kind,
                  ports, settings, false, 0, Context{}, false);
  network.slab().load(weights, origin);
}

// Error(data): it has another number of levels.
void check_levels(const TensorMap& graph, const std::string& file, const TensorMap& weights,
                  const std::string& origin) {
  int64_t levels = 0;
  while (graph.contains("mesh_" + std::to_string(levels) + "_features")) ++levels;
  const int64_t needed = has_levels(weights) ? count_below(weights, "mesh_embedders.") : 1;
  if (levels != needed)
    throw Error(ErrorKind::data, file, ": the graph has ", levels, " levels, but ", origin,
                " needs ", needed);
}

struct ConvertRequest {
  std::string from, to, weights, graph, output;
};

int model_convert(const Registries& registries, const ConvertRequest& request) {
  const Weights given = read_weights(request.weights);
  std::error_code code;
  for (const std::string& file : {given.file, request.graph})
    if (std::filesystem::equivalent(file, request.output, code))
      throw Error(ErrorKind::configuration, "--output: ", request.output, " is read, too");
  TensorMap weights = plain_weights(given.tensors, given.file);
  request.from == "neural_lam" ? drop_limits(weights, given.file)
                               : refuse_limits(weights, given.file);
  check_network(weights, given.file);
  if (request.to == "neural_lam")
    for (const char* name : limits) weights[name] = host_tensor({0}, DataType::f32);
  if (request.from != request.to)
    for (auto& [name, tensor] : weights)
      if (name.starts_with("mesh_up_embedders.") && name.ends_with(".0.weight") &&
          tensor.rank() == 2)
        tensor = turned_round(tensor);
  if (!request.graph.empty()) {
    if (request.to != "mfai")
      throw Error(ErrorKind::configuration, "--graph: weights of ", request.to, " hold no graph");
    if (!registries.read_tensors)
      throw Error(ErrorKind::configuration, "--graph: this program reads no graphs");
    const TensorMap graph = registries.read_tensors(request.graph);
    check_levels(graph, request.graph, weights, given.file);
    weights.merge(mfai_buffers(graph, request.graph));
  }
  write_safetensors(request.output, {weights.begin(), weights.end()});
  std::cout << request.output << ": " << weights.size() << " tensors\n";
  return 0;
}

std::string family(const Arguments& arguments, const std::string& option) {
  const std::string name = arguments.required(option);
  if (name != "mfai" && name != "neural_lam")
    throw Error(ErrorKind::configuration, "--", option, ": 'mfai' or 'neural_lam' is needed, not '",
                name, "'");
  return name;
}

}  // namespace

Command model_convert_command(const Registries& registries) {
  return {"model convert",
          "",
          0,
          0,
          "Weights of a graph network between mfai, whose names and meanings are ours, and "
          "neural-lam.",
          {{"from", "NAME", "Whose the weights are: mfai or neural_lam."},
           {"to", "NAME", "Whose they shall be."},
           {"weights", "FILE", "Weights: safetensors, a checkpoint or a run."},
           {"graph", "FILE",
            "netCDF file of the graph, which mfai's files of weights hold, too; absent: without."},
           {"output", "FILE", "The safetensors file to write."}},
          {},
          [&registries](const Arguments& arguments) {
            return model_convert(registries, {.from = family(arguments, "from"),
                                              .to = family(arguments, "to"),
                                              .weights = arguments.required("weights"),
                                              .graph = arguments.text("graph"),
                                              .output = arguments.required("output")});
          }};
}

}  // namespace py4cast
