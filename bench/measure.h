// How benchmarks run an op and what they report.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>

#include "engine/tape.h"

namespace py4cast {

enum class Work { flops, bytes };

// Deterministic numbers in [-0.5, 0.5].
Tensor noise(const Shape& shape, DataType type = DataType::f32);

// Runs the op in an arena, as a training step does. Counters: the rate for `work` floating-point
// operations or bytes, and its share of the machine's ceiling.
void measure(benchmark::State& state, Work kind, double work,
             const std::function<void(Context&)>& op);

// Value and gradients of an op whose derivative is fused: forward and backward in one.
Gradients differentiate(Context& context, std::vector<Tensor> inputs, const Tensor& dy,
                        const std::function<Tensor(Context&, const std::vector<Tensor>&)>& op);

}  // namespace py4cast
