// py4cast model convert
#include <algorithm>
#include <iostream>

#include "engine/error.h"
#include "engine/parameters.h"
#include "engine/safetensors.h"
#include "engine/tensor_map.h"
#include "models/mesh/mesh_graph.h"
#include "train/programs/commands.h"

namespace py4cast {
namespace {

// Limits that neural-lam sets to what a step gives; without limits its files hold them empty.
constexpr const char* limits[] = {
    "sigmoid_lower_lims",    "sigmoid_upper_lims", "softplus_lower_lims", "softplus_upper_lims",
    "clamp_lower_upper_idx", "clamp_lower_idx",    "clamp_upper_idx"};

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
  const std::string known = "grid_embedder.0.weight";
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
  for (const char* name : limits)
    if (const auto entry = weights.extract(name); entry && entry.mapped().numel() > 0)
      throw Error(ErrorKind::data, origin, ": '", name, "' has ", entry.mapped().numel(),
                  " entries: the network keeps what it predicts within limits, which networks here "
                  "do not");
}

struct ConvertRequest {
  std::string from, to, weights, graph, output;
};

int model_convert(const Registries& registries, const ConvertRequest& request) {
  TensorMap weights = plain_weights(read_safetensors(request.weights).tensors, request.weights);
  if (request.from == "neural_lam") drop_limits(weights, request.weights);
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
    weights.merge(mfai_buffers(registries.read_tensors(request.graph), request.graph));
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
           {"weights", "FILE", "Weights, safetensors."},
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
