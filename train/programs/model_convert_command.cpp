// py4cast model convert
#include <algorithm>
#include <iostream>
#include <map>

#include "engine/error.h"
#include "engine/parameters.h"
#include "engine/safetensors.h"
#include "train/programs/commands.h"

namespace py4cast {
namespace {

using Weights = std::map<std::string, Tensor>;

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
Weights plain_weights(const Weights& weights, const std::string& origin) {
  const std::string known = "grid_embedder.0.weight";
  const auto found = std::ranges::find_if(
      weights, [&](const auto& entry) { return entry.first.ends_with(known); });
  if (found == weights.end())
    throw Error(ErrorKind::data, origin, ": '", known,
                "' is missing: these are not the weights of a graph network");
  const std::string prefix = found->first.substr(0, found->first.size() - known.size());
  Weights result;
  for (const auto& [name, tensor] : weights) {
    if (!name.starts_with(prefix)) continue;
    const std::string own = name.substr(prefix.size());
    if (own.starts_with("g2m_") || own.starts_with("m2g_"))
      if (own.ends_with("_edge_index") || own.ends_with("_features")) continue;
    result[own] = tensor;
  }
  return result;
}

int model_convert(const std::string& from, const std::string& to, const std::string& input,
                  const std::string& output) {
  Weights weights = plain_weights(read_safetensors(input).tensors, input);
  if (from != to)
    for (auto& [name, tensor] : weights)
      if (name.starts_with("mesh_up_embedders.") && name.ends_with(".0.weight") &&
          tensor.rank() == 2)
        tensor = turned_round(tensor);
  write_safetensors(output, {weights.begin(), weights.end()});
  std::cout << output << ": " << weights.size() << " tensors\n";
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

Command model_convert_command() {
  return {"model convert",
          "",
          0,
          0,
          "Weights of a graph network between mfai, whose names and meanings are ours, and "
          "neural-lam.",
          {{"from", "NAME", "Whose the weights are: mfai or neural_lam."},
           {"to", "NAME", "Whose they shall be."},
           {"weights", "FILE", "Weights, safetensors."},
           {"output", "FILE", "The safetensors file to write."}},
          {},
          [](const Arguments& arguments) {
            return model_convert(family(arguments, "from"), family(arguments, "to"),
                                 arguments.required("weights"), arguments.required("output"));
          }};
}

}  // namespace py4cast
