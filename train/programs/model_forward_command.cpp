// py4cast model forward
#include <map>

#include "engine/error.h"
#include "engine/safetensors.h"
#include "train/precision.h"
#include "train/programs/commands.h"
#include "train/programs/model_request.h"

namespace py4cast {
namespace {

// The number of outputs is that of the last parameter that has an output axis.
int64_t outputs_of(const Registries& registries, const std::map<std::string, Tensor>& weights,
                   const ModelRequest& request, const Ports& ports) {
  if (request.outputs > 0) return request.outputs;
  // The name of the last layer's weight is the network's own knowledge: ask a network with one
  // output.
  Network probe(registries.models, request.model, ports, request.settings, request.autopad, 0,
                Context{}, false);
  const Parameter* last = nullptr;
  for (const Parameter& parameter : probe.slab().parameters())
    if (parameter.trainable() && parameter.spec().file_shape.rank() > 1) last = &parameter;
  const auto entry = last ? weights.find(last->name()) : weights.end();
  if (entry == weights.end() || entry->second.rank() < 1)
    throw Error(ErrorKind::data, request.model, ": '", last ? last->name() : "",
                "' is missing among the weights, so the "
                "number of outputs is not known; give --outputs");
  return entry->second.size(0);
}

int model_forward(const Registries& registries, const ForwardRequest& request) {
  Runtime runtime(request.device);
  set_precision(runtime, request.precision);
  const Safetensors weights = read_safetensors(request.weights);
  const Safetensors input = read_safetensors(request.input);
  const auto x = input.tensors.find("x");
  if (x == input.tensors.end() || x->second.rank() != 4)
    throw Error(ErrorKind::data, request.input,
                ": a tensor 'x' [batch, height, width, features] is needed");
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
  ports.outputs["y"][-1] = outputs_of(registries, weights.tensors, request, ports);
  Network network(registries.models, request.model, ports, request.settings, request.autopad,
                  request.seed, context, true);
  network.slab().load(weights.tensors, request.weights);

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
}

}  // namespace

ForwardRequest forward_request(const Arguments& arguments) {
  return {model_request(arguments),     arguments.required("weights"), arguments.required("input"),
          arguments.required("output"), arguments.text("gradients"),   arguments.has("train")};
}

Command model_forward_command(const Registries& registries) {
  return {"model forward",
          "",
          0,
          0,
          "Runs a network on a tensor: x [batch, height, width, features] in, y out; names and "
          "layouts are PyTorch's.",
          with_model_options({{"weights", "FILE", "Weights, safetensors."},
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
