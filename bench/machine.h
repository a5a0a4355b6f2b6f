// Where the benchmarks run, and how they run an op and what they report.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/runtime.h"
#include "engine/tape.h"
#include "engine/work_counter.h"
#include "train/ceilings.h"

namespace py4cast {

enum class Bound { arithmetic, memory };  // what an op is measured by

class Machine {
 public:
  // device: as Runtime; side: points on a side of the grid, at least 32 (512 is usual); ceilings: measured unless they are told.
  Machine(const std::string& device, int64_t side, const std::optional<Ceilings>& ceilings = {});
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Runtime& runtime() { return runtime_; }
  int64_t side() const { return side_; }
  bool on_gpu() const { return runtime_.device().kind == DeviceKind::cuda; }
  // That the device has: fp32 and bf16, on a GPU tf32 as well.
  std::vector<Precision> precisions() const;
  const Ceilings& ceilings() const { return ceilings_; }

  // Deterministic numbers in [-0.5, 0.5], in the memory of the device.
  Tensor noise(const Shape& shape, DataType type = DataType::f32);
  Tensor constant(const Shape& shape, float value);
  Tensor placed(const Tensor& host);

  // Runs a step in an arena, on a GPU captured and replayed, as training does. The host waits for
  // the device once in ten steps. Returns the seconds of a step. Counters: arena_MB; allocations of a step
  // after the first ones; on a GPU the launches that were captured. A function of its own, in which
  // callgrind counts (.ci/check_counts).
  [[gnu::noinline]] double time(benchmark::State& state, Context context,
                                const std::function<void(Context&)>& step);
  // Lets the observer hear the ops of a step, in a dry run.
  void tell(Context context, const std::function<void(Context&)>& step, OpObserver& observer);
  // What the ops tell of their work.
  Work work(const Context& context, const std::function<void(Context&)>& step);
  // An op. Counters: its rate, in operations or bytes per second, and the share of the machine's
  // ceiling. `bytes`: where the op does not read and write each operand once.
  void measure(benchmark::State& state, Bound bound, Precision precision,
               const std::function<void(Context&)>& op, double bytes = 0);

 private:
  Runtime runtime_;
  int64_t side_;
  Ceilings ceilings_;
};

std::string_view name_of(Precision precision);
// Of activations.
inline DataType type_of(Precision precision) {
  return precision == Precision::bf16 ? DataType::bf16 : DataType::f32;
}

// Value and gradients of an op whose derivative is fused: forward and backward in one.
Gradients differentiate(Context& context, std::vector<Tensor> inputs, const Tensor& dy,
                        const std::function<Tensor(Context&, const std::vector<Tensor>&)>& op);

// Name in milliseconds of wall-clock time.
template <typename F>
benchmark::internal::Benchmark* add_case(const std::string& name, F&& run) {
  return benchmark::RegisterBenchmark(name.c_str(), std::forward<F>(run))
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

// The benchmarks. They run after this returns; the machine outlives them.
void add_convolutions(Machine& machine);
void add_ops(Machine& machine);
void add_steps(Machine& machine, int64_t cpu_steps = 5);  // a GPU: as many as the time asks for

}  // namespace py4cast
