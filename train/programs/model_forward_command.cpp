// py4cast model forward
#include <map>
#include <tuple>

#include "engine/error.h"
#include "engine/safetensors.h"
#include "train/checkpoint.h"
#include "train/precision.h"
#include "train/programs/commands.h"
#include "train/programs/model_request.h"

namespace py4cast {
namespace {

// The number of outputs is the size of some axis of some weight. Which one is the network's own
// knowledge: it is the first in which networks with one and with two outputs differ.
int64_t outputs_of(const Registries& registries, const Weights& weights,
                   const ModelRequest& request, Ports ports) {
  if (request.outputs > 0) return request.outputs;
  const auto probe = [&](int64_t outputs) {
    ports.outputs["y"][-1] = outputs;
    return Network(registries.models, request.model, ports, request.settings, request.autopad, 0,
                   Context{}, false);
  };
  Network one = probe(1), two = probe(2);
  const TensorMap tensors = one.slab().below_a_module(weights.tensors);
  for (size_t i = 0; i < one.slab().parameters().size(); ++i) {
    const ParameterSpec &a = one.slab().parameters()[i].spec(),
                        &b = two.slab().parameters()[i].spec();
    for (int axis = 0; axis < a.file_shape.rank(); ++axis)
      if (a.file_shape[axis] != b.file_shape[axis]) {
        const auto entry = tensors.find(a.name);
        if (entry != tensors.end() && entry->second.rank() > axis) return entry->second.size(axis);
      }
  }
  one.slab().load(tensors, weights.file);  // says what else they are not
  throw Error(ErrorKind::data, weights.file,
              ": does not tell the number of outputs; give --outputs");
}

// A network sees no names, only places: what the weights say of theirs must at least have their number.
void check_features(const Weights& weights, const std::string& input, int64_t features) {
  if (!weights.trained_with.is_object() || !weights.trained_with.contains("input_features")) return;
  const Json& names = weights.trained_with["input_features"];
  if (static_cast<int64_t>(names.size()) == features) return;
  std::string list;
  for (const Json& name : names)
    list += (list.empty() ? "" : ", ") + (name.is_string() ? name.get<std::string>() : name.dump());
  throw Error(ErrorKind::configuration, weights.file, ": the network was trained with ",
              names.size(), " features (", list, "), but 'x' of ", input, " has ", features);
}

// What the command line says of x must be so.
void check_sizes(const ModelRequest& request, const std::string& input, const Shape& x) {
  for (int axis = 0; axis < 4; ++axis)
    if (x[axis] < 1)
      throw Error(ErrorKind::data, input, ": 'x' is ", x, ", but all sizes must be positive");
  const std::tuple<const char*, int64_t, int64_t> sizes[] = {{"batch", request.batch, x[0]},
                                                             {"height", request.height, x[1]},
                                                             {"width", request.width, x[2]},
                                                             {"inputs", request.inputs, x[3]}};
  for (const auto& [option, told, found] : sizes)
    if (told > 0 && told != found)
      throw Error(ErrorKind::configuration, "command line: '--", option, "' is ", told,
                  ", but 'x' of ", input, " is ", x);
}

int model_forward(const Registries& registries, const ForwardRequest& request) {
  return with_runtime(request.device, [&](Runtime& runtime) {
    set_precision(runtime, request.precision);
    const Weights weights = read_weights(request.weights);
    const Safetensors input = read_safetensors(request.input);
    const auto x = input.tensors.find("x");
    if (x == input.tensors.end() || x->second.rank() != 4)
      throw Error(ErrorKind::data, request.input,
                  ": a tensor 'x' [batch, height, width, features] is needed");
    check_sizes(request, request.input, x->second.shape());
    check_features(weights, request.input, x->second.size(-1));
    Context context = runtime.context();
    context.phase = request.train ? Phase::train : Phase::evaluate;
    Ports ports = {.outputs = {{"y", x->second.shape().without(0).with(-1, 1)}}};
    TensorMap inputs;
    for (const auto& [name, tensor] : input.tensors) {
      ports.inputs[name] = tensor.shape().without(0);
      inputs[name] =
          on_device_of(context, converted(tensor, context.floating()), Owner::batches, name);
    }
    ports.geometry = even_geometry(x->second.size(1), x->second.size(2));
    ports.outputs["y"][-1] = outputs_of(registries, weights, request, ports);
    Network network(registries.models, request.model, ports, request.settings, request.autopad,
                    request.seed, context, true);
    network.slab().load(network.slab().below_a_module(weights.tensors), weights.file);

    const auto write = [&](const TensorMap& outputs) {
      std::vector<std::pair<std::string, Tensor>> host;
      for (const auto& [name, y] : outputs) host.emplace_back(name, on_host(y));
      write_safetensors(request.output, host);
    };
    if (request.gradients.empty()) {
      write(network.model().forward(context, inputs));
      return 0;
    }
    std::map<std::string, Tensor> gradients;
    write(forward_backward(network, context, inputs,
                           [&](Context&, const Parameter& parameter, Tensor gradient) {
                             gradients[parameter.name()] =
                                 permuted(on_host(gradient), inverse_order(parameter.spec().order));
                           }));
    write_safetensors(request.gradients, {gradients.begin(), gradients.end()});
    return 0;
  });
}

}  // namespace

ForwardRequest forward_request(const Arguments& arguments) {
  // Sizes that are not told are those of the input.
  const ModelRequest untold{.height = 0, .width = 0, .batch = 0};
  return {model_request(arguments, untold), arguments.required("weights"),
          arguments.required("input"),      arguments.required("output"),
          arguments.text("gradients"),      arguments.has("train")};
}

Command model_forward_command(const Registries& registries) {
  return {"model forward",
          "",
          0,
          0,
          "Runs a network on a tensor: x [batch, height, width, features] in, y out; names and "
          "layouts are PyTorch's.",
          with_model_options({{"weights", "FILE", "Weights: safetensors, a checkpoint or a run."},
                              {"input", "FILE", "Tensor x, safetensors."},
                              {"output", "FILE", "Tensor y, safetensors."},
                              {"gradients", "FILE", "Gradient of mean(y^2) by parameter name."},
                              {"train", "", "Training mode: batch norm by the batch."}}),
          {},
          [&registries](const Arguments& arguments) {
            return model_forward(registries, forward_request(arguments));
          }};
}

}  // namespace py4cast
