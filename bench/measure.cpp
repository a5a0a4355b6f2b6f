#include "bench/measure.h"

#include <chrono>

#include "bench/ceilings.h"
#include "engine/parameters.h"
#include "kernels/arithmetic.h"

namespace py4cast {

Tensor noise(const Shape& shape, DataType type) {
  Tensor result = host_tensor(shape, DataType::f32);
  const RandomKey key{1, 2};
  for (uint64_t i = 0; float& element : result.span<float>())
    element = static_cast<float>(key.uniform(i++) - 0.5);
  return type == DataType::f32 ? result : converted(result, type);
}

void measure(benchmark::State& state, Work kind, double work,
             const std::function<void(Context&)>& op) {
  MemoryLedger ledger;
  StepArena arena(ledger);
  Context context;
  context.arena = &arena;
  const auto step = [&] { arena.run("op", [&] { op(context); }); };
  step();
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) step();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  const double rate = work * static_cast<double>(state.iterations()) / time.count();
  state.counters[kind == Work::flops ? "FLOP/s" : "B/s"] = rate;
  state.counters["share"] = rate / (kind == Work::flops ? ceilings().flops : ceilings().bytes);
}

Gradients differentiate(Context& context, std::vector<Tensor> inputs, const Tensor& dy,
                        const std::function<Tensor(Context&, const std::vector<Tensor>&)>& op) {
  Tape tape(add);
  Context inner = context;
  inner.tape = &tape;
  for (Tensor& input : inputs) input = tape.watch(input);
  const Tensor y = op(inner, inputs);
  return tape.backward(
      inner, {&y, 1}, {dy}, [](Context&, const Parameter&, Tensor) {}, inputs);
}

}  // namespace py4cast
