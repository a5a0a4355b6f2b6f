#include "bench/machine.h"

#include "engine/parameters.h"
#include "engine/step_graphs.h"
#include "engine/stopwatch.h"
#include "kernels/ops/arithmetic.h"

namespace py4cast {
namespace {

// Those told, or measured. Error(configuration): there are other ranks.
Ceilings ceilings_for(Runtime& runtime, const std::vector<Precision>& precisions, int64_t side,
                      const std::optional<Ceilings>& told) {
  runtime.guard([&] {
    if (const int ranks = runtime.communicator().size(); ranks > 1)
      throw Error(
          ErrorKind::configuration, "command line: of ", ranks,
          " ranks each would measure the same; under mpirun only step --tables is measured");
  });
  return told ? *told : measure_ceilings(runtime, precisions, side);
}

}  // namespace

Machine::Machine(const std::string& device, int64_t side, const std::optional<Ceilings>& ceilings)
    : runtime_(device),
      side_(side),
      ceilings_(ceilings_for(runtime_, precisions(), side, ceilings)) {}

std::vector<Precision> Machine::precisions() const {
  return on_gpu() ? std::vector{Precision::fp32, Precision::tf32, Precision::bf16}
                  : std::vector{Precision::fp32, Precision::bf16};
}

Tensor Machine::placed(const Tensor& host) {
  if (!on_gpu()) return host;
  const Tensor result(
      allocate(host.bytes(), runtime_.device(), &runtime_.ledger(), Owner::other, "bench"),
      host.type(), host.shape());
  copy(host, result);
  return result;
}

Tensor Machine::noise(const Shape& shape, DataType type) {
  Tensor result = host_tensor(shape, DataType::f32);
  const RandomKey key{1, 2};
  for (uint64_t i = 0; float& element : result.span<float>())
    element = static_cast<float>(key.uniform(i++) - 0.5);
  return placed(type == DataType::f32 ? result : converted(result, type));
}

Tensor Machine::constant(const Shape& shape, float value) {
  const Tensor result = host_tensor(shape, DataType::f32);
  for (float& element : result.span<float>()) element = value;
  return placed(result);
}

double Machine::time(benchmark::State& state, Context context,
                     const std::function<void(Context&)>& step) {
  StepArena arena(runtime_.ledger(), StepArena::Mode::plan, 0, context.device);
  context.arena = &arena;
  StepGraphs graphs(arena, context, true);
  const auto run = [&] { graphs.run("step", [&] { step(context); }); };
  const auto wait = [&] {
    if (on_gpu()) synchronize(context.stream);
  };
  for (int i = 0; i < (on_gpu() ? 3 : 1); ++i) run();  // planned, captured
  wait();
  const int64_t batch = on_gpu() && !runtime_.emulated() ? 10 : 1;
  const uint64_t allocations = runtime_.ledger().allocations();
  const Stopwatch time;
  while (state.KeepRunningBatch(batch)) {
    for (int64_t i = 0; i < batch; ++i) run();
    wait();
  }
  const double seconds = time.seconds();
  const auto steps = static_cast<double>(state.iterations());
  state.counters["arena_MB"] = static_cast<double>(arena.capacity()) / 1e6;
  state.counters["allocations"] =
      static_cast<double>(runtime_.ledger().allocations() - allocations) / steps;
  if (on_gpu()) state.counters["launches"] = static_cast<double>(graphs.launches());
  return seconds / steps;
}

void Machine::tell(Context context, const std::function<void(Context&)>& step,
                   OpObserver& observer) {
  StepArena arena(runtime_.ledger(), StepArena::Mode::plan, 0, context.device);
  context.arena = &arena;
  context.observer = &observer;
  arena.plan("step", [&] { step(context); });
}

Work Machine::work(const Context& context, const std::function<void(Context&)>& step) {
  WorkCounter counter;
  tell(context, step, counter);
  return counter.total();
}

void Machine::measure(benchmark::State& state, Bound bound, Precision precision,
                      const std::function<void(Context&)>& op, double bytes) {
  Context context = runtime_.context();
  context.precision = precision;
  const Work told = work(context, op);
  const bool arithmetic = bound == Bound::arithmetic;
  const double amount = arithmetic ? told.flops : bytes > 0 ? bytes : told.bytes;
  const double rate = amount / time(state, context, op);
  state.counters[arithmetic ? "FLOP/s" : "B/s"] = rate;
  state.counters["share"] = rate / (arithmetic ? ceilings_.flops.at(precision) : ceilings_.bytes);
}

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32:
      return "tf32";
    case Precision::bf16:
      return "bf16";
    case Precision::fp64:
      return "fp64";
  }
  throw Error(ErrorKind::internal, "a precision without a name");
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
