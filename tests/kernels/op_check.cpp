#include "tests/kernels/op_check.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/cuda.h"
#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"

#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/cuda_emulation.h"
#endif

namespace py4cast::testing {
namespace {

struct Outcome {
  Tensor value;
  Gradients gradients;  // of the inputs, undefined for constants
};

std::vector<Tensor> with_fixed(std::vector<Tensor> inputs, const OpCase& test) {
  inputs.insert(inputs.end(), test.fixed.begin(), test.fixed.end());
  return inputs;
}

bool is_constant(const OpCase& test, size_t input) {
  return input < test.constant.size() && test.constant[input];
}

std::vector<Tensor> watched(Tape& tape, const OpCase& test, std::vector<Tensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!is_constant(test, i)) inputs[i] = tape.watch(inputs[i]);
  return inputs;
}

// Forward and backward with the cotangent w. The backward pass may take over the memory of what comes
// in, if that is given to the op alone.
Outcome run(const OpCase& test, const Op& op, Context context, const std::vector<Tensor>& inputs,
            const Tensor& w, bool alone = false) {
  Tape tape(add);
  context.tape = &tape;
  const std::vector<Tensor> leaves = watched(tape, test, inputs);
  std::vector<Tensor> given = leaves;
  for (size_t i = 0; alone && i < leaves.size(); ++i)
    if (!is_constant(test, i))
      given[i] = add(context, leaves[i], full(context, leaves[i].shape(), leaves[i].type(), 0));
  Outcome outcome;
  Tensor y = op(context, with_fixed(std::exchange(given, {}), test));
  if (!context.dry()) outcome.value = host_copy(y);
  Gradients gradients = tape.backward(
      context, {&y, 1}, {w}, [](Context&, const Parameter&, Tensor) {}, leaves);
  if (!context.dry())
    for (const Tensor& gradient : gradients) outcome.gradients.push_back(host_copy(gradient));
  EXPECT_EQ(tape.size(), 0u);
  return outcome;
}

double inner_product(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (size_t i = 0; i < a.span<double>().size(); ++i)
    sum += a.span<double>()[i] * b.span<double>()[i];
  return sum;
}

// d/dx f by central differences, element by element, for an f64 input.
Tensor numerical_gradient(const std::function<double()>& f, const Tensor& x, double step) {
  Tensor gradient = host_tensor(x.shape(), DataType::f64);
  for (int64_t i = 0; i < x.numel(); ++i) {
    double& element = x.data<double>()[i];
    const double before = element;
    element = before + step;
    const double above = f();
    element = before - step;
    const double below = f();
    element = before;
    gradient.data<double>()[i] = (above - below) / (2 * step);
  }
  return gradient;
}

void check_numerically(const OpCase& test, const std::vector<Tensor>& inputs, const Tensor& w) {
  const Outcome analytic = run(test, test.op, Context(), inputs, w);
  const auto value = [&] {
    Context plain;
    return inner_product(test.op(plain, with_fixed(inputs, test)), w);
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (is_constant(test, i)) continue;
    EXPECT_LT(difference(analytic.gradients[i], numerical_gradient(value, inputs[i], 1e-5)), 1e-6)
        << "input " << i;
  }
}

// s = sum_i v_i . dL/dx_i;  ds/dx_j by the tape.
Gradients second_derivatives(const OpCase& test, Context context, const std::vector<Tensor>& inputs,
                             const Tensor& w, const std::vector<Tensor>& v) {
  Tape tape(add);
  context.tape = &tape;
  const std::vector<Tensor> leaves = watched(tape, test, inputs);
  const Tensor y = test.op(context, with_fixed(leaves, test));
  const Gradients first = tape.gradient(context, {&y, 1}, {w}, leaves, true);
  Tensor s;
  for (size_t i = 0; i < first.size(); ++i) {
    if (!first[i].defined()) continue;
    Tensor term = sum_all(context, multiply(context, first[i], v[i]));
    s = s.defined() ? add(context, s, term) : term;
  }
  return tape.gradient(context, {&s, 1}, {full(context, {}, DataType::f64, 1)}, leaves);
}

std::vector<Tensor> directions(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> v;
  for (size_t i = 0; i < inputs.size(); ++i)
    v.push_back(random_tensor(inputs[i].shape(), DataType::f64, 77 + i));
  return v;
}

// The second derivatives against differences of the first.
void check_second_order(const OpCase& test, const std::vector<Tensor>& inputs, const Tensor& w) {
  const std::vector<Tensor> v = directions(inputs);
  const auto projection = [&] {
    const Outcome first = run(test, test.op, Context(), inputs, w);
    double s = 0;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (first.gradients[i].defined()) s += inner_product(first.gradients[i], v[i]);
    return s;
  };
  const Gradients second = second_derivatives(test, Context(), inputs, w, v);
  for (size_t j = 0; j < inputs.size(); ++j) {
    if (is_constant(test, j)) continue;
    const Tensor expected = numerical_gradient(projection, inputs[j], 1e-5);
    const Tensor found =
        second[j].defined() ? second[j] : host_tensor(inputs[j].shape(), DataType::f64);
    double largest = 0;
    for (double e : expected.span<double>()) largest = std::max(largest, std::abs(e));
    if (largest < 1e-7) {  // linear in this input
      for (double e : found.span<double>()) EXPECT_LT(std::abs(e), 1e-7);
    } else {
      EXPECT_LT(difference(found, expected), 1e-5) << "second derivative, input " << j;
    }
  }
}

void expect_same_bits(const Outcome& a, const Outcome& b, const char* what) {
  const auto same = [](const Tensor& x, const Tensor& y) {
    return x.defined() == y.defined() &&
           (!x.defined() || std::memcmp(x.raw(), y.raw(), x.bytes()) == 0);
  };
  EXPECT_TRUE(same(a.value, b.value)) << what << ": value";
  for (size_t i = 0; i < a.gradients.size(); ++i)
    EXPECT_TRUE(same(a.gradients[i], b.gradients[i])) << what << ": gradient " << i;
}

void expect_close(const Outcome& found, const Outcome& expected, double value, double gradient) {
  EXPECT_LT(difference(found.value, expected.value), value);
  for (size_t i = 0; i < expected.gradients.size(); ++i) {
    if (!expected.gradients[i].defined()) continue;
    EXPECT_LT(difference(found.gradients[i], expected.gradients[i]), gradient) << "gradient " << i;
  }
}

Outcome run_in_arena(const OpCase& test, Context context, const std::vector<Tensor>& inputs,
                     const Tensor& w, StepArena::Mode mode) {
  MemoryLedger ledger;
  StepArena arena(ledger, mode, 0, context.device);
  context.arena = &arena;
  Outcome outcome;
  arena.run("op", [&] {
    Outcome result = run(test, test.op, context, inputs, w);
    if (!context.dry()) outcome = std::move(result);
  });
  return outcome;
}

void expect_reproducible(const OpCase& test, const Context& context,
                         const std::vector<Tensor>& inputs, const Tensor& w,
                         const Outcome& single) {
  const int threads = omp_get_max_threads();
  for (int n : {1, 2, 3}) {
    omp_set_num_threads(n);
    expect_same_bits(run(test, test.op, context, inputs, w), single, "threads");
  }
  omp_set_num_threads(threads);
  expect_same_bits(run(test, test.op, context, inputs, w, true), single, "inputs of its own");
  for (auto mode : {StepArena::Mode::plan, StepArena::Mode::debug})
    expect_same_bits(run_in_arena(test, context, inputs, w, mode), single, "arena");
}

// Of a result made with so many roundings to bf16, the last of them its own if it is bf16.
double bf16_tolerance(const Tensor& result, int roundings) {
  const double rounding = 1.0 / 256;
  return result.type() == DataType::bf16 ? 2e-5 + rounding * roundings
                                         : 2e-5 + rounding * (roundings - 1);
}

void expect_bf16(const OpCase& test, const std::vector<Tensor>& inputs, const Outcome& found,
                 const Outcome& reference) {
  EXPECT_LT(difference(found.value, reference.value),
            bf16_tolerance(found.value, test.bf16_roundings));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& gradient = found.gradients[i];
    if (is_constant(test, i)) continue;
    EXPECT_EQ(gradient.type(), inputs[i].type()) << "gradient " << i;
    EXPECT_LT(difference(gradient, reference.gradients[i]),
              bf16_tolerance(gradient, test.bf16_roundings))
        << "gradient " << i;
  }
}

// Runs f in several orders of threads and streams if the GPU is an emulated one, else once.
template <typename F>
void in_each_order(F&& f) {
#if PY4CAST_CUDA_EMULATED
  using Settings = emulation::Settings;
  const Settings before = emulation::settings();
  for (const Settings& order :
       {Settings{Settings::Threads::forward, Settings::Streams::minimal, 1},
        Settings{Settings::Threads::reverse, Settings::Streams::others_first, 1},
        Settings{Settings::Threads::random, Settings::Streams::random, 7}}) {
    emulation::settings() = order;
    f();
  }
  emulation::settings() = before;
#else
  f();
#endif
}

// The same on a GPU: f64, f32 and bf16 against f64 of the CPU, the same bits in each order in
// which an emulated device may run threads and streams, and in every kind of memory.
class GpuCheck {
 public:
  GpuCheck(const OpCase& test, const Outcome& reference, bool libraries)
      : test_(test), reference_(reference) {
    if (libraries) context_.libraries = &libraries_;
    for (Tensor& fixed : test_.fixed) fixed = to_device(fixed, device_);
    context_.device = device_;
    context_.stream = stream_.get();
  }

  void check_f64(const std::vector<Tensor>& inputs, const Tensor& w) {
    expect_close(run(test_, test_.op, context_, moved(inputs), to_device(w, device_)), reference_,
                 1e-11, 1e-10);
  }
  void check_f32(const std::vector<Tensor>& inputs, const Tensor& w) {
    const Outcome single = run(test_, test_.op, context_, moved(inputs), to_device(w, device_));
    expect_close(single, reference_, 2e-6, 2e-5);
    check_bits(inputs, w, single);
  }
  Outcome run_bf16(const std::vector<Tensor>& inputs, const Tensor& w) {
    const Outcome single = run(test_, test_.op, context_, moved(inputs), to_device(w, device_));
    check_bits(inputs, w, single);
    return single;
  }
  void check_second_order(const OpCase& on_host, const std::vector<Tensor>& inputs,
                          const Tensor& w) {
    const std::vector<Tensor> v = directions(inputs);
    const Gradients expected = second_derivatives(on_host, Context(), inputs, w, v),
                    found = second_derivatives(test_, context_, moved(inputs),
                                               to_device(w, device_), moved(v));
    for (size_t i = 0; i < inputs.size(); ++i) {
      ASSERT_EQ(found[i].defined(), expected[i].defined()) << "second derivative " << i;
      if (!found[i].defined()) continue;
      EXPECT_LT(difference(host_copy(found[i]), expected[i]), 1e-9) << "second derivative " << i;
    }
  }

 private:
  std::vector<Tensor> moved(const std::vector<Tensor>& tensors) {
    std::vector<Tensor> result;
    for (const Tensor& tensor : tensors) result.push_back(to_device(tensor, device_));
    return result;
  }
  void check_bits(const std::vector<Tensor>& inputs, const Tensor& w, const Outcome& single) {
    const std::vector<Tensor> x = moved(inputs);
    const Tensor cotangent = to_device(w, device_);
    in_each_order([&] {
      expect_same_bits(run(test_, test_.op, context_, x, cotangent), single, "order of threads");
    });
    for (auto mode : {StepArena::Mode::plan, StepArena::Mode::debug})
      expect_same_bits(run_in_arena(test_, context_, x, cotangent, mode), single, "arena");
  }

  Device device_ = test_device();
  OpCase test_;
  const Outcome& reference_;
  CudaStream stream_{device_};
  LibrarySlot libraries_;
  Context context_;
};

// f(false), and f(true) if libraries compute the op with these inputs: a dry run tells.
template <typename F>
void for_each_way(const OpCase& test, const std::vector<Tensor>& inputs, const Tensor& w, F&& f) {
  f(false);
  MemoryLedger ledger;
  LibrarySlot slot;
  Context context;
  context.device = test_device();
  context.libraries = &slot;
  StepArena arena(ledger, StepArena::Mode::plan, 0, context.device);
  context.arena = &arena;
  arena.plan("op", [&] { run(test, test.op, context, inputs, w); });
  if (!slot.libraries) return;
  SCOPED_TRACE("libraries");
  f(true);
}

void check_bf16(const OpCase& test) {
  SCOPED_TRACE("bf16");
  std::vector<Tensor> inputs, exact;
  for (size_t i = 0; i < test.shapes.size(); ++i) {
    const Tensor brief = random_tensor(test.shapes[i], DataType::bf16, i, test.low, test.high);
    exact.push_back(converted(brief, DataType::f64));
    inputs.push_back(test.bf16.at(i) ? brief : converted(brief, DataType::f32));
  }
  Context plain;
  const Tensor y = test.op(plain, with_fixed(inputs, test));
  const Tensor w = random_tensor(y.shape(), DataType::bf16, 99);
  const Outcome reference = run(test, test.op, Context(), exact, converted(w, DataType::f64));
  for (CpuLevel level : cpu_levels(DataType::bf16)) {
    SCOPED_TRACE(std::string("level ") + std::string(name_of(level)));
    Context context;
    context.cpu_level = level;
    const Tensor cotangent = converted(w, y.type());
    const Outcome single = run(test, test.op, context, inputs, cotangent);
    expect_bf16(test, inputs, single, reference);
    expect_reproducible(test, context, inputs, cotangent, single);
  }
#if PY4CAST_CUDA
  SCOPED_TRACE("cuda");
  const Tensor cotangent = converted(w, y.type());
  for_each_way(test, inputs, cotangent, [&](bool libraries) {
    GpuCheck gpu(test, reference, libraries);
    expect_bf16(test, inputs, gpu.run_bf16(inputs, cotangent), reference);
  });
#endif
}

}  // namespace

void for_each_device(const std::function<void(Context&)>& f) {
  for (CpuLevel level : cpu_levels()) {
    SCOPED_TRACE(std::string("level ") + std::string(name_of(level)));
    Context context;
    context.cpu_level = level;
    f(context);
  }
#if PY4CAST_CUDA
  SCOPED_TRACE("cuda");
  Context context;
  context.device = test_device();
  const CudaStream stream(context.device);
  context.stream = stream.get();
  in_each_order([&] { f(context); });
#endif
}

void expect_values(const Op& op, const std::vector<Tensor>& inputs, const Tensor& dy,
                   const std::vector<std::vector<double>>& expected) {
  for_each_device([&](Context& context) {
    for (const auto& [type, tolerance] : {std::pair(DataType::f64, 1e-12), {DataType::f32, 2e-6}}) {
      const auto given = [&, type = type](const Tensor& x) {
        return to_device(converted(x, type), context.device);
      };
      Tape tape(add);
      context.tape = &tape;
      std::vector<Tensor> watched;
      for (const Tensor& x : inputs) watched.push_back(tape.watch(given(x)));
      const Tensor y = op(context, watched);
      std::vector<Tensor> found = tape.gradient(context, {&y, 1}, {given(dy)}, watched);
      found.insert(found.begin(), y);
      for (size_t i = 0; i < found.size(); ++i) {
        if (expected.at(i).empty()) {
          EXPECT_FALSE(found[i].defined()) << "gradient " << i - 1;
          continue;
        }
        EXPECT_LT(difference(host_copy(found[i]), tensor_of(found[i].shape(), expected.at(i))),
                  tolerance)
            << name_of(type) << (i ? ", gradient " + std::to_string(i - 1) : ", value");
      }
      context.tape = nullptr;
    }
  });
}

void expect_no_gradient(const Op& op, const std::vector<Tensor>& inputs, const Tensor& dy,
                        size_t input, const std::vector<bool>& bf16) {
  for_each_device([&](Context& context) {
    for (DataType type : {DataType::f64, DataType::f32, DataType::bf16}) {
      Tape tape(add);
      context.tape = &tape;
      std::vector<Tensor> watched;
      for (size_t i = 0; i < inputs.size(); ++i) {
        const Tensor given = converted(inputs[i], bf16.at(i) ? type : compute_type(type));
        watched.push_back(tape.watch(to_device(given, context.device)));
      }
      const Tensor y = op(context, watched);
      const Gradients found = tape.gradient(
          context, {&y, 1}, {to_device(converted(dy, y.type()), context.device)}, watched);
      const Tensor zeros = host_tensor(inputs[input].shape(), type);
      EXPECT_LT(difference(host_copy(found[input]), zeros), type == DataType::f64 ? 1e-13 : 2e-6)
          << name_of(type);
      context.tape = nullptr;
    }
  });
}

void check_threads(const std::function<Tensor(Context&)>& f, DataType type) {
  const int threads = omp_get_max_threads();
  for (CpuLevel level : cpu_levels(type)) {
    Context context;
    context.cpu_level = level;
    omp_set_num_threads(1);
    const Tensor single = f(context);
    for (int n : {2, 3, 5, 7}) {
      omp_set_num_threads(n);
      const Tensor shared = f(context);
      EXPECT_EQ(std::memcmp(shared.raw(), single.raw(), single.bytes()), 0)
          << n << " threads at level " << name_of(level);
    }
  }
  omp_set_num_threads(threads);
}

void check_op(const OpCase& test) {
  std::vector<Tensor> inputs, inputs_f32;
  for (size_t i = 0; i < test.shapes.size(); ++i) {
    inputs_f32.push_back(random_tensor(test.shapes[i], DataType::f32, i, test.low, test.high));
    inputs.push_back(converted(inputs_f32.back(), DataType::f64));
  }
  Context shape_context;
  const Shape output = test.op(shape_context, with_fixed(inputs, test)).shape();
  const Tensor w_f32 = random_tensor(output, DataType::f32, 99),
               w = converted(w_f32, DataType::f64);

  const Outcome reference =
      run(test, test.composite ? test.composite : test.op, Context(), inputs, w);
  check_numerically(test, inputs, w);
  if (test.second_order) check_second_order(test, inputs, w);
  for (CpuLevel level : cpu_levels()) {
    SCOPED_TRACE(std::string("level ") + std::string(name_of(level)));
    Context context;
    context.cpu_level = level;
    expect_close(run(test, test.op, context, inputs, w), reference, 1e-11, 1e-10);
    const Outcome single = run(test, test.op, context, inputs_f32, w_f32);
    expect_close(single, reference, 2e-6, 2e-5);
    expect_reproducible(test, context, inputs_f32, w_f32, single);
  }
  if (!test.bf16.empty()) check_bf16(test);
#if PY4CAST_CUDA
  SCOPED_TRACE("cuda");
  for_each_way(test, inputs_f32, w_f32, [&](bool libraries) {
    GpuCheck gpu(test, reference, libraries);
    gpu.check_f32(inputs_f32, w_f32);
    if (libraries) return;
    gpu.check_f64(inputs, w);
    if (test.second_order) gpu.check_second_order(test, inputs, w);
  });
#endif
}

}  // namespace py4cast::testing
