// One harness for every op: value, gradient, second derivative, composite, instruction levels,
// threads, memory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/tape.h"

namespace py4cast::testing {

using Op = std::function<Tensor(Context&, const std::vector<Tensor>&)>;

struct OpCase {
  Op op;
  Op composite = {};                // empty: the op is elementary
  std::vector<Shape> shapes;        // of the inputs
  double low = -1, high = 1;        // inputs are uniform in [low, high]
  std::vector<bool> constant = {};  // inputs that are not differentiated (default: none)
  bool second_order = true;         // check second derivatives
  std::vector<Tensor> fixed = {};   // passed after the inputs as they are (indices)
  std::vector<bool> bf16 = {};      // inputs that are bf16 beside f32 ones; empty: no bf16 kernels
  int bf16_roundings = 1;           // to bf16, on the longest way from an input to a bf16 result
};

// In f64: the op equals its composite (1e-11), its gradient equals the composite's (1e-10) and
// central differences (1e-6), its second derivative those of the gradient (1e-5). In f32: value
// within 2e-6 and gradient within 2e-5 of f64 (relative to the largest element). For each
// instruction level of this machine: the same, and equal bits with 1, 2 and 3 threads and in an
// arena that never reuses memory and fills it with NaN. In bf16, with inputs and cotangents that
// bf16 has exactly: results of type bf16 within 2^-8 (one rounding; times bf16_roundings) of f64,
// results of type f32 within 2e-5 (plus 2^-8 for each rounding on the way); the same equalities.
void check_op(const OpCase& test);

// In builds with CUDA the same on a GPU (or the emulated one), with its threads in several orders;
// ops that libraries of the device may compute are checked with and without them.

// The GPU of the tests. Error(configuration): there is none.
Device test_device();

// For ops that check_op does not cover: calls f with a context for each instruction level of this
// machine, and in builds with CUDA for a GPU; an emulated one runs its threads in several orders.
void for_each_device(const std::function<void(Context&)>& f);
// Copies in the memory of a device, and back.
Tensor to_device(const Tensor& x, Device device);
Tensor host_copy(const Tensor& x);

// f gives the same bits with 1, 2 and 3 threads, at each instruction level: for sizes that are
// large enough to be shared out (those of check_op may not be). `type`: of cpu_levels.
void check_threads(const std::function<Tensor(Context&)>& f, DataType type = DataType::f32);

// Numbers from outside: on each device, in f64 (1e-12) and f32 (2e-6), the op's value and its
// inputs' gradients for the cotangent dy are `expected`: {y, d input 0, d input 1, ...}, empty
// where an input has no gradient.
void expect_values(const Op& op, const std::vector<Tensor>& inputs, const Tensor& dy,
                   const std::vector<std::vector<double>>& expected);
Tensor tensor_of(const Shape& shape, const std::vector<double>& values);  // f64
// A gradient that must vanish does: of that input for the cotangent dy, on each device, in f64
// (1e-13), f32 and bf16 (2e-6). Inputs are f64; bf16 tells which of them are bf16, as in OpCase.
void expect_no_gradient(const Op& op, const std::vector<Tensor>& inputs, const Tensor& dy,
                        size_t input, const std::vector<bool>& bf16);

// Deterministic numbers in [low, high].
Tensor random_tensor(const Shape& shape, DataType type, uint64_t stream, double low = -1,
                     double high = 1);
// The instruction levels of this machine: those whose kernels differ, and in bf16 those whose
// products differ, too.
std::vector<CpuLevel> cpu_levels(DataType type = DataType::f32);
// Largest |a - b| relative to the largest |b|; infinite where one has a NaN or the shapes differ.
double difference(const Tensor& a, const Tensor& b);
// The message of the Error that f throws; empty if it throws none.
std::string error_of(const std::function<void()>& f);

}  // namespace py4cast::testing
