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

// One step forward and backward for mean(y^2); the sink is called for each parameter.
Tensor forward_backward(const Network& network, Context context, const Tensor& x,
                        const GradientSink& sink) {
  Tape tape(add);
  context.tape = &tape;
  const Tensor y = network.model()(context, x);
  const Tensor loss = mean_all(context, multiply(context, y, y));
  Context plain = context.without_tape();
  tape.backward(context, {&loss, 1}, {full(plain, {}, loss.type(), 1)}, sink);
  return y;
}

// The number of outputs is that of the last parameter that has an output axis.
int64_t outputs_of(const std::map<std::string, Tensor>& weights, const ModelRequest& request,
                   int64_t inputs, const Shape& grid) {
  if (request.outputs > 0) return request.outputs;
  // The name of the last layer's weight is the network's own knowledge: ask a network with one
  // output.
  Network probe(request.model, {inputs, 1, grid[1], grid[2]}, request.settings, request.autopad, 0,
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
  Network network(
      request.model,
      {request.inputs, std::max<int64_t>(request.outputs, 1), request.height, request.width},
      request.settings, request.autopad, request.seed, runtime.context(), true);
  Context context = runtime.context();
  StepArena arena(runtime.ledger(), StepArena::Mode::plan, 0, context.device);
  context.arena = &arena;
  const Shape input{request.batch, request.height, request.width, request.inputs};
  ModuleList modules;
  arena.plan("forward", [&] {
    Context observed = context;
    observed.observer = &modules;
    network.model()(observed, observed.empty(input, observed.floating()));
  });
  const StepPlan& plan = arena.plan("train", [&] {
    forward_backward(network, context, context.empty(input, context.floating()),
                     [](Context&, const Parameter&, Tensor) {});
  });
  std::map<std::string, int64_t> count;  // of trainable numbers, by first part of the name
  for (const Parameter& parameter : network.slab().parameters())
    if (parameter.trainable())
      count[parameter.name().substr(0, parameter.name().find('.'))] += parameter.shape().numel();
  std::printf("%s: %s -> %s features on %s x %s points, batch %s\n\n", request.model.c_str(),
              text(request.inputs).c_str(), text(network.shape().out).c_str(),
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
  Network network(
      request.model,
      {request.inputs, std::max<int64_t>(request.outputs, 1), request.height, request.width},
      request.settings, request.autopad, request.seed, Context{}, false);
  write_safetensors(request.output, network.slab().state());
  std::cout << request.output << ": " << network.slab().count() << " trainable parameters\n";
  return 0;
}

int run_model_forward(const ForwardRequest& request) {
  Runtime runtime(request.device);
  set_precision(runtime, request.precision);
  const Safetensors weights = read_safetensors(request.weights);
  const Safetensors input = read_safetensors(request.input);
  const auto entry = input.tensors.find("x");
  if (entry == input.tensors.end() || entry->second.rank() != 4)
    throw Error(ErrorKind::data, request.input,
                ": a tensor 'x' [batch, height, width, features] is needed");
  const Tensor given = converted(entry->second, runtime.context().floating());
  const ModelShape shape{given.size(3),
                         outputs_of(weights.tensors, request, given.size(3), given.shape()),
                         given.size(1), given.size(2)};
  Network network(request.model, shape, request.settings, request.autopad, request.seed,
                  runtime.context(), true);
  network.slab().load(weights.tensors, request.weights);

  Context context = runtime.context();
  context.phase = request.train ? Phase::train : Phase::evaluate;
  const Tensor x = on_device_of(context, given, Owner::batches, "x");
  if (request.gradients.empty()) {
    const Tensor y = network.model()(context, x);
    write_safetensors(request.output, {{"y", on_host(y)}});
    return 0;
  }
  std::map<std::string, Tensor> gradients;
  const Tensor y = forward_backward(
      network, context, x, [&](Context&, const Parameter& parameter, Tensor gradient) {
        gradients[parameter.name()] =
            permuted(on_host(gradient), inverse_order(parameter.spec().order));
      });
  write_safetensors(request.output, {{"y", on_host(y)}});
  write_safetensors(request.gradients, {gradients.begin(), gradients.end()});
  return 0;
}

}  // namespace py4cast
