// Times of training steps.
#include <fstream>

#include "bench/step_cases.h"
#include "bench/training_step.h"

namespace py4cast {
namespace {

// The most memory that the process (its device) ever held, in MB.
double peak_memory(Machine& machine) {
  if (machine.on_gpu())
    return static_cast<double>(machine.runtime().ledger().peak_bytes(Space::device)) / 1e6;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) * 1.024e-3;  // of KiB
  return 0;
}

void training_step(benchmark::State& state, Machine& machine, const StepCase& which,
                   Precision precision, int64_t forecasts) {
  const TrainingStep step(machine, which, precision, forecasts);
  const auto run = [&step](Context& context) { step(context); };
  const Work work = machine.work(step.context(), run);
  const double seconds = machine.time(state, step.context(), run);
  const double arithmetic = work.flops / machine.ceilings().flops.at(precision),
               memory = work.bytes / machine.ceilings().bytes;
  state.counters["ops"] = static_cast<double>(work.calls);
  state.counters["flops"] = work.flops;
  state.counters["bytes"] = work.bytes;
  state.counters["FLOP/s"] = work.flops / seconds;
  state.counters["share"] = arithmetic / seconds;
  state.counters["peak_MB"] = peak_memory(machine);
  state.SetLabel("at the ceilings: arithmetic " + std::to_string(1e3 * arithmetic) +
                 " ms, memory " + std::to_string(1e3 * memory) + " ms");
}

}  // namespace

void add_steps(Machine& machine, int64_t cpu_steps) {
  for (const StepCase& which : step_cases())
    for (const int64_t forecasts : {1, 3})
      for (const Precision precision : machine.precisions()) {
        auto* added =
            add_case("step/" + which.name + "/" + std::to_string(machine.side()) + "/" +
                         std::string(name_of(precision)) + "/" + std::to_string(forecasts),
                     [&machine, which, precision, forecasts](benchmark::State& state) {
                       training_step(state, machine, which, precision, forecasts);
                     });
        if (!machine.on_gpu()) added->Iterations(cpu_steps);
      }
}

}  // namespace py4cast
