// py4cast model info | weights | forward: a network without data.
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "engine/runtime.h"
#include "engine/safetensors.h"
#include "engine/work_counter.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "train/forecast/experiment.h"
#include "train/programs/commands.h"

namespace py4cast {
namespace {

// One step forward and backward for the sum of the means of the squares of all outputs; the sink is
// called for each parameter.
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

Ports ports_of(const ModelRequest& request) {
  return field_ports(request.height, request.width, request.inputs,
                     std::max<int64_t>(request.outputs, 1));
}

// The number of outputs is that of the last parameter that has an output axis.
int64_t outputs_of(const std::map<std::string, Tensor>& weights, const ModelRequest& request,
                   Ports ports) {
  if (request.outputs > 0) return request.outputs;
  // The name of the last layer's weight is the network's own knowledge: ask a network with one
  // output.
  Network probe(built_in_models(), request.model, ports, request.settings, request.autopad, 0,
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

// The modules of a forward pass, the shapes of their results, and their work.
struct ModuleList : WorkCounter {
  std::vector<std::pair<std::string, Shape>> results;
  void module(const Context& context, const Tensor& y) override {
    results.emplace_back(context.path, y.shape());
  }
};

std::string megabytes(size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

template <typename T>
std::string text(const T& value) {
  std::ostringstream stream;
  stream << value;
  return stream.str();
}

}  // namespace

int run_model_info(const ModelRequest& request) {
  Runtime runtime(request.device);
  set_precision(runtime, request.precision);
  const Ports ports = ports_of(request);
  Network network(built_in_models(), request.model, ports, request.settings, request.autopad,
                  request.seed, runtime.context(), true);
  Context context = runtime.context();
  StepArena arena(runtime.ledger(), StepArena::Mode::plan, 0, context.device);
  context.arena = &arena;
  const auto inputs = [&](Context& where) {
    TensorMap result;
    for (const auto& [name, shape] : ports.inputs)
      result[name] = where.empty(shape.inserted(0, request.batch), where.floating());
    return result;
  };
  ModuleList modules;
  arena.plan("forward", [&] {
    Context observed = context;
    observed.observer = &modules;
    network.model().forward(observed, inputs(observed));
  });
  const StepPlan& plan = arena.plan("train", [&] {
    forward_backward(network, context, inputs(context), [](Context&, const Parameter&, Tensor) {});
  });
  std::map<std::string, int64_t> count;  // of trainable numbers, by first part of the name
  for (const Parameter& parameter : network.slab().parameters())
    if (parameter.trainable())
      count[parameter.name().substr(0, parameter.name().find('.'))] += parameter.shape().numel();
  std::printf("%s: %s -> %s features on %s x %s points, batch %s\n\n", request.model.c_str(),
              text(request.inputs).c_str(), text(ports.outputs.at("y").back()).c_str(),
              text(request.height).c_str(), text(request.width).c_str(),
              text(request.batch).c_str());
  std::printf("%-28s %-24s %12s %10s %10s\n", "module", "result", "parameters", "GFLOP", "MB");
  const auto row = [](const std::string& name, const std::string& shape, int64_t numbers,
                      const Work& work) {
    std::printf("%-28s %-24s %12lld %10.3f %10.1f\n", name.c_str(), shape.c_str(),
                static_cast<long long>(numbers), work.flops / 1e9, work.bytes / 1e6);
  };
  for (const auto& [path, shape] : modules.results)
    row(path, text(shape), count[path], modules.inside(path));
  row("forward pass", "", network.slab().count(), modules.total());
  std::printf("\n%-36s %12s\n", "parameter", "shape in files");
  for (const Parameter& parameter : network.slab().parameters())
    std::printf("%-36s %s%s\n", parameter.name().c_str(), text(parameter.spec().file_shape).c_str(),
                parameter.trainable() ? "" : " (buffer)");
  const size_t parameters = network.slab().values().bytes();
  std::printf("\n%lld trainable parameters\n", static_cast<long long>(network.slab().count()));
  std::printf(
      "memory of a training step: %s activations (%s live at once), %s parameters, gradients and "
      "moments\n",
      megabytes(plan.bytes).c_str(), megabytes(plan.live_bytes).c_str(),
      megabytes(4 * parameters).c_str());
  return 0;
}

int run_model_weights(const WeightsRequest& request) {
  Network network(built_in_models(), request.model, ports_of(request), request.settings,
                  request.autopad, request.seed, Context{}, false);
  write_safetensors(request.output, network.slab().state());
  std::cout << request.output << ": " << network.slab().count() << " trainable parameters\n";
  return 0;
}

int run_model_forward(const ForwardRequest& request) {
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
  ports.outputs["y"][-1] = outputs_of(weights.tensors, request, ports);
  Network network(built_in_models(), request.model, ports, request.settings, request.autopad,
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

}  // namespace py4cast
