// Parameters of a network: one slab for the values, one for the gradients.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/memory.h"
#include "engine/random.h"
#include "engine/tensor.h"

namespace py4cast {

// How a parameter starts: every element uniform in [center - bound, center + bound].
struct Initialisation {
  double center = 0, bound = 0;
};

// Error-free names and layouts of the files are PyTorch's; `order` turns them into ours.
struct ParameterSpec {
  std::string name;        // "encoder1.layers.0.weight"
  Shape file_shape;        // in files, e.g. [out, in, height, width] of a convolution
  std::vector<int> order;  // axis i here is axis order[i] of the file; empty: the same
  Initialisation initialisation;
  bool trainable = true;          // false: a buffer (running statistics), not seen by the optimiser
  DataType type = DataType::f32;  // of buffers; trainable ones take the slab's
  bool optional = false;          // of buffers: files may lack it, and it keeps its value
};

class ParameterSlab;

class Parameter {
 public:
  Parameter(ParameterSpec spec, const ParameterSlab& slab) : spec_(std::move(spec)), slab_(&slab) {}
  const ParameterSlab& slab() const { return *slab_; }  // that it lies in
  const ParameterSpec& spec() const { return spec_; }
  const std::string& name() const { return spec_.name; }
  bool trainable() const { return spec_.trainable; }
  Shape shape() const;                            // here
  const Tensor& value() const { return value_; }  // [shape()]
  const Tensor& gradient() const {
    return gradient_;
  }  // undefined for buffers and without training

 private:
  friend class ParameterSlab;
  ParameterSpec spec_;
  const ParameterSlab* slab_;
  Tensor value_, gradient_;
};

// What a network computes with besides: indices and features of a mesh, say. It is neither trained
// nor in files.
class Constant {
 public:
  Constant(std::string name, Tensor value) : name_(std::move(name)), value_(std::move(value)) {}
  const std::string& name() const { return name_; }
  const Tensor& value() const { return value_; }  // as it was given until the slab has its memory

 private:
  friend class ParameterSlab;
  std::string name_;
  Tensor value_;
};

// All parameters and buffers of one network, in the order of the file (PyTorch's state_dict).
// Trainable values lie in one slab, each aligned to 64 bytes (padding stays zero), so the optimiser
// and the communicator see one vector.
class ParameterSlab {
 public:
  explicit ParameterSlab(DataType type = DataType::f32) : type_(type) {}
  ParameterSlab(const ParameterSlab&) = delete;
  ParameterSlab& operator=(const ParameterSlab&) = delete;

  // Before allocate(). The reference stays valid. Error(internal): the name exists.
  const Parameter& add(ParameterSpec spec);
  // The same for a host tensor; a floating one takes the slab's type.
  const Constant& add_constant(const std::string& name, const Tensor& value);
  // load() passes over this name, if the tensor is as it should be; `fault` says what it is else, or nothing.
  using Fault = std::function<std::string(const Tensor&)>;
  void add_unread(const std::string& name, Fault fault = {}) { unread_[name] = std::move(fault); }
  // Takes the memory, and moves the constants to it. With `training` also the gradients.
  void allocate(Device device, MemoryLedger* ledger, bool training);
  // The k-th trainable parameter draws from key.child(k), element by element in file order; buffers
  // get their centre.
  void initialise(RandomKey key);

  DataType type() const { return type_; }
  int64_t count() const;  // trainable numbers, without padding
  const std::deque<Parameter>& parameters() const { return parameters_; }
  const std::deque<Constant>& constants() const { return constants_; }
  const Tensor& values() const { return values_; }        // [padded count]
  const Tensor& gradients() const { return gradients_; }  // [padded count]
  // Another slab of the same layout (optimiser state), zero-filled, f32 (f64 in an f64 slab).
  Tensor like_values(MemoryLedger* ledger) const;
  // Where x lies in values(), or a part of a parameter: the same part of another slab, of any type; undefined
  // if x does not lie there.
  Tensor beside(const Tensor& x, const Tensor& slab) const;
  // The part of a slab that belongs to a trainable parameter.
  Tensor slice(const Tensor& slab, const Parameter& parameter) const;

  // Host copies in file layout, in file order.
  std::vector<std::pair<std::string, Tensor>> state() const;
  // Error(data): names that are missing, not expected (with the nearest), or of another shape; at
  // most a few are listed. `origin` names the file. Floating types are converted.
  void load(const std::map<std::string, Tensor>& state, const std::string& origin);
  // Where all parameters stand below one module ("model.", as Lightning writes them, "module."), what stands
  // below it; else the same.
  std::map<std::string, Tensor> below_a_module(const std::map<std::string, Tensor>& state) const;
  // The same of another slab (optimiser state), which has trainable parameters only.
  std::vector<std::pair<std::string, Tensor>> state(const Tensor& slab) const;
  void load(const Tensor& slab, const std::map<std::string, Tensor>& state,
            const std::string& origin) const;

 private:
  void check(const std::map<std::string, Tensor>& state, const std::string& origin,
             bool buffers) const;
  void check_new(const std::string& name) const;
  Tensor zeros(int64_t size, MemoryLedger* ledger, const char* name) const;

  DataType type_;
  std::deque<Parameter> parameters_;
  std::deque<Constant> constants_;
  std::map<std::string, Fault> unread_;
  std::map<const Parameter*, int64_t> offsets_;  // of trainable ones in the slab
  Tensor values_, gradients_;
  Device device_;
};

// The values of a slab in bf16, so that a step on a GPU rounds its weights once and not at each use. Who
// makes a step keeps them true: cast_into (kernels/ops/views.h) at its start.
class RoundedValues {
 public:
  RoundedValues(const ParameterSlab& slab, MemoryLedger* ledger);
  const Tensor& values() const { return slab_.values(); }  // f32
  const Tensor& rounded() const { return rounded_; }       // bf16
  // The rounded numbers of a tensor that lies in the slab; undefined for others.
  Tensor of(const Tensor& x) const { return slab_.beside(x, rounded_); }

 private:
  const ParameterSlab& slab_;
  Tensor rounded_;
};

// A host copy of x with its axes re-ordered: axis i of the result is axis order[i] of x.
Tensor permuted(const Tensor& x, const std::vector<int>& order);
// The order that undoes `order`.
std::vector<int> inverse_order(const std::vector<int>& order);
// A host copy of another type (floating types and integers among themselves, f16 and bf16
// included).
Tensor converted(const Tensor& x, DataType type);
// Between host and device memory, same shape and type, both contiguous; waits until it is done.
// On a device it waits for all work before and for the copy itself.
void copy(const Tensor& from, const Tensor& to);
// The same, in order with the other work of the context's device; on the host at once. Host memory
// that a device copies from or to must be pinned and is in use until the stream has come so far.
void copy(const Context& context, const Tensor& from, const Tensor& to);
// x in host memory, contiguous: x itself if it is so already.
Tensor on_host(const Tensor& x);
// x in memory of the context's device, contiguous, for the life of the result: x itself if it is so
// already.
Tensor on_device_of(const Context& context, const Tensor& x, Owner owner, const std::string& path);

}  // namespace py4cast
