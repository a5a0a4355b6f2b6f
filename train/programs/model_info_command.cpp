// py4cast model info
#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>

#include "engine/error.h"
#include "engine/work_counter.h"
#include "train/checkpoint.h"
#include "train/precision.h"
#include "train/programs/commands.h"
#include "train/programs/model_request.h"
#include "train/run_configuration.h"

namespace py4cast {
namespace {

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

int model_info(const Registries& registries, const ModelRequest& request) {
  return with_runtime(request.device, [&](Runtime& runtime) {
    set_precision(runtime, request.precision);
    const Ports ports = ports_of(request);
    Network network = make_network(registries, request, runtime.context(), true);
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
      forward_backward(network, context, inputs(context),
                       [](Context&, const Parameter&, Tensor) {});
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
      std::printf("%-36s %s%s\n", parameter.name().c_str(),
                  text(parameter.spec().file_shape).c_str(),
                  parameter.trainable() ? "" : " (buffer)");
    const size_t parameters = network.slab().values().bytes();
    std::printf("\n%lld trainable parameters\n", static_cast<long long>(network.slab().count()));
    std::printf(
        "memory of a training step: %s activations (%s live at once), %s parameters, gradients and "
        "moments\n",
        megabytes(plan.bytes).c_str(), megabytes(plan.live_bytes).c_str(),
        megabytes(4 * parameters).c_str());
    return 0;
  });
}

// The network of a run folder or checkpoint.
ModelRequest network_of(const Registries& registries, const std::string& run) {
  if (std::filesystem::is_regular_file(run))
    throw Error(ErrorKind::configuration, run,
                ": a configuration does not say how many features its data have; 'py4cast train ",
                run,
                " --dry-run' looks at the data, 'py4cast model info --model NAME --inputs N "
                "--outputs N' needs none");
  const Configuration configuration = run_configuration(registries, run, {});
  const TaskKind& task = registries.task_of(configuration);
  if (!task.network)
    throw Error(ErrorKind::configuration, run, ": the task '", task.name,
                "' does not say what its networks are");
  return task.network(configuration, find_checkpoint(run, {"best", "last", "initial"}));
}

}  // namespace

Command model_info_command(const Registries& registries) {
  return {"model info",
          "[RUN]",
          0,
          1,
          "Prints the layers of a network, their shapes, parameters and memory. With RUN, a run "
          "folder or checkpoint, its network; options change it.",
          with_model_options({}),
          {},
          [&registries](const Arguments& arguments) {
            ModelRequest request;
            if (!arguments.positional.empty())
              request = network_of(registries, arguments.positional[0]);
            return model_info(registries, model_request(arguments, request));
          }};
}

}  // namespace py4cast
