// What an op needs to know beside its arguments. Every op takes a Context first; there is no
// ambient state.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/memory.h"
#include "engine/random.h"
#include "engine/tensor.h"

namespace py4cast {

class KeptValues;
class OpObserver;
class Parameter;
class RoundedValues;
class SharedValues;
class Tape;
class WeightGradients;

enum class Phase { train, evaluate };
enum class Precision { fp32, tf32, bf16, fp64 };

// A change of a buffer (running statistics) that a training step asks for. It is applied after the
// step, in rank order over all ranks, and only if the loss was finite (layers/batch_norm.h).
struct BufferUpdate {
  const Parameter* mean;              // running mean
  const Parameter* variance;          // running variance
  const Parameter* count;             // num_batches_tracked
  Tensor batch_mean, batch_variance;  // [features] each; variance unbiased
  double momentum;
};

// What the libraries of a device keep between calls: handles, plans. Kernels make it at first use
// (kernels/products/cuda_libraries.h).
class DeviceLibraries {
 public:
  virtual ~DeviceLibraries() = default;
  // One line for each problem that was met: which engine computes it.
  virtual std::vector<std::string> choices() const = 0;
};
struct LibrarySlot {
  std::mutex mutex;
  std::unique_ptr<DeviceLibraries> libraries;
};

struct Context {
  Device device;
  CpuLevel cpu_level = best_cpu_level();
  Stream stream;
  MemoryLedger* ledger = nullptr;
  StepArena* arena = nullptr;  // null: tensors on the heap
  Tape* tape = nullptr;        // null: nothing is recorded
  Phase phase = Phase::train;
  Precision precision = Precision::fp32;
  bool recompute = false;  // `checkpoint` runs forward again: buffers are not updated a second time
  bool last_use = false;   // of what a rule of the tape saved: it may take over that memory
  // Of each input of the op whose rule runs: null, or its gradient so far. A rule may add to it in place
  // and give that as the gradient, moved from here.
  const std::vector<Tensor*>* sums = nullptr;
  // null: a network is called once; else what its calls share (engine/kept_values.h).
  KeptValues* kept = nullptr;
  RandomKey random;
  // i64 [1] on the device: what distinguishes this run of the step from others with the same key, so
  // that a captured step draws new numbers (kernels/ops/random.h). Undefined: 0.
  Tensor random_counter;
  // null: the gradients of weights are tensors; else some are added to those of the parameters at once
  // (kernels/products/weight_gradients.h).
  WeightGradients* weight_gradients = nullptr;
  const RoundedValues* rounded = nullptr;  // null: products in bf16 round each weight at each use
  LibrarySlot* libraries = nullptr;        // null: kernels of our own compute everything
  std::vector<BufferUpdate>* buffer_updates = nullptr;  // null: running statistics are not updated
  SharedValues* shared_values =
      nullptr;                     // null: each micro-batch computes all (layers/shared_values.h)
  OpObserver* observer = nullptr;  // null: nobody listens to the ops (engine/op_note.h)
  std::string path;                // of the module at work: "encoder1.conv1"

  // True while the step arena only learns sizes: tensors have no data and no kernel may run.
  bool dry() const { return arena && arena->dry(); }

  // Of parameters, states and losses: f64 in precision fp64, else f32.
  DataType floating() const { return precision == Precision::fp64 ? DataType::f64 : DataType::f32; }

  Tensor empty(const Shape& shape, DataType type);  // not initialised
  Tensor zeros(const Shape& shape, DataType type);
  Tensor scratch(int64_t bytes);  // i32 tensor of at least so many bytes

  Context without_tape() const {
    Context result = *this;
    result.tape = nullptr;
    return result;
  }
};

// "layer_norm: gamma has ..." with the module path added: " [in encoder1.conv1]". For throwing from
// ops:
//   throw shape_error(context, "layer_norm: gamma has ", n, " elements but ...");
template <typename... Parts>
Error shape_error(const Context& context, const Parts&... parts) {
  return context.path.empty() ? Error(ErrorKind::shape, parts..., "")
                              : Error(ErrorKind::shape, parts..., " [in ", context.path, "]");
}

// Appends a name to the path for a block of code, and opens an NVTX range with the new path.
class Scope {
 public:
  Scope(Context& context, std::string_view name);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  // Tells the context's observer of the module's result; returns it.
  Tensor result(Tensor y);

 private:
  Context& context_;
  size_t length_;  // of the path before
};

}  // namespace py4cast
