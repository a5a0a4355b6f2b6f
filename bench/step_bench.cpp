// One training step of a network: a rollout of forecasts, weighted loss, backward, AdamW; data in
// memory. The peer is bench/peers/torch_step.py, with the same shapes.
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/machine.h"
#include "bench/step_cases.h"
#include "kernels/fields/autoregressive_update.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "kernels/training/adamw.h"
#include "kernels/training/loss.h"
#include "train/gradient_sums.h"
#include "train/network.h"

namespace py4cast {
namespace {

constexpr int64_t state_features = 21, others = 25;  // of the state; forcings and constant fields

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
  const int64_t side = machine.side();
  Context context = machine.runtime().context();
  context.precision = precision;
  Ports ports = field_ports(side, side, 2 * state_features + others, state_features);
  ports.geometry = even_geometry(side, side);
  Network network(built_in_models(), which.model, ports, which.settings, true, 42, context, true);
  ParameterSlab& slab = network.slab();
  const Tensor first = slab.like_values(context.ledger), second = slab.like_values(context.ledger);
  const Tensor before = machine.noise({1, side, side, state_features}),
               now = machine.noise({1, side, side, state_features}),
               forcing = machine.noise({1, side, side, others}),
               target = machine.noise({1, side, side, state_features}),
               mask = machine.constant({side, side, 1}, 1),
               weights = machine.constant({state_features}, 1);
  const Tensor factors = host_tensor({adamw_factor_count}, DataType::f64);
  write_adamw_factors({}, factors);
  const Tensor optimiser = machine.placed(factors);
  std::optional<RoundedValues> rounded;
  if (machine.on_gpu() && precision == Precision::bf16) rounded.emplace(slab, context.ledger);
  const auto step = [&](Context& given) {
    Context plain = given;
    if (rounded) {
      cast_into(plain, rounded->values(), rounded->rounded());
      plain.rounded = &*rounded;
    }
    if (!plain.dry()) fill_bytes(slab.gradients(), 0, plain.stream);
    Tape tape(add);
    Context recorded = plain;
    recorded.tape = &tape;
    recorded.calls = forecasts;
    // What the backward pass does not need is gone when it begins, as in trainings.
    const Tensor loss = [&] {
      Tensor old = before, last = now, sum;
      for (int64_t k = 0; k < forecasts; ++k) {
        const Tensor x = concat(recorded, {old, last, forcing}, -1);
        old = last;
        last = residual_update(recorded, last, network.model()(recorded, x));
        const Tensor part = mean_all(
            recorded, weighted_loss(recorded, last, target, mask, weights, LossKind::squared));
        sum = k ? add(recorded, sum, part) : part;
      }
      return sum;
    }();
    GradientSums sums(plain, slab);
    recorded.weight_gradients = sums.weights();
    tape.backward(recorded, {&loss, 1}, {full(plain, {}, DataType::f32, 1)},
                  [&](Context&, const Parameter& parameter, Tensor gradient) {
                    sums.add(parameter, std::move(gradient));
                  });
    sums.finish();
    adamw(plain, slab.values(), slab.gradients(), first, second, optimiser, {});
  };
  const Work work = machine.work(context, step);
  const double seconds = machine.time(state, context, step);
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
