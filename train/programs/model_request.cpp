#include "train/programs/model_request.h"

#include <utility>

#include "engine/error.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"

namespace py4cast {
namespace {

const std::vector<Option> model_options = {
    {"model", "NAME", "The network."},
    {"settings", "FILE", "JSON file of the network's settings (also --model_conf)."},
    {"model_conf", "FILE", "The same as --settings."},
    {"graph", "FILE", "netCDF file of a graph network's graph (model.settings.graph)."},
    {"inputs", "N", "Number of input features (model forward: those of the input)."},
    {"outputs", "N", "Number of output features (model forward: from the weights)."},
    {"height", "N", "Rows of the grid (default 64; model forward: those of the input)."},
    {"width", "N", "Columns of the grid (default 64; model forward: those of the input)."},
    {"batch", "N", "Samples of one batch (default 1; model forward: those of the input)."},
    {"seed", "N", "Seed of the weights (default 42)."},
    {"device", "D", "auto, cpu, cuda or cuda:N (default auto)."},
    {"precision", "P", "fp32, tf32, bf16 or fp64 (default fp32)."}};

// The checks of the key of the configuration that has the option's name.
std::string checked_choice(const Arguments& arguments, const std::string& option,
                           const std::string& otherwise) {
  if (!arguments.has(option)) return otherwise;
  return checked_value(*table_of<GeneralSettings>().find(option), arguments.text(option),
                       "command line", "--" + option)
      .get<std::string>();
}

int64_t positive(const Arguments& arguments, const std::string& option, int64_t otherwise) {
  const int64_t number = arguments.integer(option, otherwise);
  if (arguments.has(option) && number < 1)
    throw Error(ErrorKind::configuration, "command line: '--", option, "' must be at least 1, not ",
                number);
  return number;
}

}  // namespace

std::vector<Option> with_model_options(std::vector<Option> options) {
  options.insert(options.begin(), model_options.begin(), model_options.end());
  return options;
}

ModelRequest model_request(const Arguments& arguments, ModelRequest request) {
  if (request.model.empty() || arguments.has("model")) request.model = arguments.required("model");
  const std::string settings = arguments.text("settings", arguments.text("model_conf"));
  if (!settings.empty()) request.settings = read_json_file(settings);
  if (arguments.has("graph")) request.settings["graph"] = arguments.text("graph");
  request.inputs = positive(arguments, "inputs", request.inputs);
  request.outputs = positive(arguments, "outputs", request.outputs);
  request.height = positive(arguments, "height", request.height);
  request.width = positive(arguments, "width", request.width);
  request.batch = positive(arguments, "batch", request.batch);
  request.seed = arguments.integer("seed", request.seed);
  request.device = checked_choice(arguments, "device", request.device);
  request.precision = checked_choice(arguments, "precision", request.precision);
  return request;
}

Ports ports_of(const ModelRequest& request) {
  for (const auto& [option, number] :
       {std::pair{"inputs", request.inputs}, {"outputs", request.outputs}})
    if (number < 1)
      throw Error(ErrorKind::configuration, "command line: '--", option, "' is missing");
  Ports ports = field_ports(request.height, request.width, request.inputs, request.outputs);
  ports.geometry = even_geometry(request.height, request.width);
  return ports;
}

Network make_network(const Registries& registries, const ModelRequest& request,
                     const Context& context, bool training) {
  return Network(registries.models, request.model, ports_of(request), request.settings,
                 request.autopad, request.seed, context, training);
}

TensorMap forward_backward(const Network& network, Context context, const TensorMap& inputs,
                           const GradientSink& sink) {
  Tape tape(add);
  context.tape = &tape;
  TensorMap outputs = network.model().forward(context, inputs);
  Tensor loss;
  for (const auto& [name, y] : outputs) {
    Tensor mean = mean_all(context, multiply(context, y, y));
    loss = loss.defined() ? add(context, std::move(loss), std::move(mean)) : std::move(mean);
  }
  Context plain = context.without_tape();
  tape.backward(context, {&loss, 1}, {full(plain, {}, loss.type(), 1)}, sink);
  return outputs;
}

}  // namespace py4cast
