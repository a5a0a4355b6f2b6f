// One training step of a network: forward, weighted loss, backward, AdamW; data in memory. The peer
// is bench/peers/torch_step.py, with the same shapes.
#include <benchmark/benchmark.h>

#include <fstream>
#include <string>

#include "bench/ceilings.h"
#include "kernels/adamw.h"
#include "kernels/arithmetic.h"
#include "kernels/loss.h"
#include "kernels/reduce.h"
#include "train/network.h"

namespace py4cast {
namespace {

Tensor noise(const Shape& shape, uint64_t stream) {
  Tensor result = host_tensor(shape, DataType::f32);
  const RandomKey key{1, stream};
  for (uint64_t i = 0; float& element : result.span<float>())
    element = static_cast<float>(2 * key.uniform(i++) - 1);
  return result;
}

Tensor ones(const Shape& shape) {
  Tensor result = host_tensor(shape, DataType::f32);
  for (float& element : result.span<float>()) element = 1;
  return result;
}

// Most memory that the process ever held, in MB.
double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1e3;
  return 0;
}

// forward_flops: of the convolutions, one forward pass; backward costs twice as much.
void training_step(benchmark::State& state, const std::string& model, const Json& settings,
                   Precision precision, double forward_flops) {
  const int64_t size = 512, in = 67, out = 21;
  MemoryLedger ledger;
  Context own;
  own.ledger = &ledger;
  Network network(model, {in, out, size, size}, settings, false, 42, own, true);
  ParameterSlab& slab = network.slab();
  Tensor first = slab.like_values(&ledger), second = slab.like_values(&ledger);
  const Tensor x = noise({1, size, size, in}, 1), target = noise({1, size, size, out}, 2);
  const Tensor mask = ones({size, size, 1}), weights = ones({out});
  StepArena arena(ledger);
  int64_t step = 0;
  const auto train = [&] {
    Context context;
    context.ledger = &ledger;
    context.precision = precision;
    std::fill_n(slab.gradients().data<float>(), slab.gradients().numel(), 0.0f);
    Context plain = context;
    context.arena = &arena;
    arena.run("step", [&] {
      Tape tape(add);
      Context recorded = context;
      recorded.tape = &tape;
      const Tensor y = network.model()(recorded, x);
      const Tensor loss =
          mean_all(recorded, weighted_loss(recorded, y, target, mask, weights, LossKind::squared));
      const Tensor one = full(context, {}, DataType::f32, 1);
      tape.backward(recorded, {&loss, 1}, {one},
                    [](Context& c, const Parameter& parameter, Tensor gradient) {
                      add_into(c, parameter.gradient(), gradient);
                    });
    });
    adamw(plain, slab.values(), slab.gradients(), first, second, {.step = ++step});
  };
  train();
  for (auto _ : state) train();
  state.counters["arena_MB"] = static_cast<double>(arena.capacity()) / 1e6;
  state.counters["peak_MB"] = peak_memory();
  state.counters["FLOP/s"] =
      benchmark::Counter(3 * forward_flops, benchmark::Counter::kIsIterationInvariantRate,
                         benchmark::Counter::kIs1000);
  state.SetLabel("floor " +
                 std::to_string(static_cast<int>(3e3 * forward_flops / ceilings().flops)) + " ms");
}

const int registered = [] {
  for (const auto& [name, precision] : {std::pair{"step/halfunet64_512", Precision::fp32},
                                        {"step/halfunet64_512_bf16", Precision::bf16}})
    benchmark::RegisterBenchmark(name, training_step, "halfunet", Json::object(), precision, 91.8e9)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime()
        ->Iterations(5);
  benchmark::RegisterBenchmark("step/halfunet128_ghost_512", training_step, "halfunet",
                               Json{{"num_filters", 128}, {"use_ghost", true}}, Precision::fp32,
                               164.7e9)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->Iterations(2);
  return 0;
}();

}  // namespace
}  // namespace py4cast
