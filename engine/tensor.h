// A tensor: a typed, shaped view of a block of memory.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <span>

#include "engine/data_type.h"
#include "engine/device.h"
#include "engine/shape.h"

namespace py4cast {

class Tape;

// A block of memory. Its owner (heap, step arena, slab) derives from it and takes the memory back
// in the destructor.
class Storage {
 public:
  Storage(std::byte* data, size_t bytes, Device device)
      : data_(data), bytes_(bytes), device_(device) {}
  virtual ~Storage() = default;
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }  // null in a dry run
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 protected:
  std::byte* data_;
  size_t bytes_;
  Device device_;
};

// The name of a differentiable value on a tape; a tensor without one is a constant.
struct Variable {
  Tape* tape = nullptr;
  uint32_t index = 0;
};

// A cheap handle (copies share the memory). Tensors are immutable once an op has made them, except
// parameters (by the optimiser) and gradients (by accumulation); an op may take over the memory of
// an argument that nobody else holds (`unique()`), which callers allow with std::move. Layout is
// row-major; kernels read contiguous tensors, and the ops of kernels/ops/views.h make views with
// other strides and contiguous copies of them.
class Tensor {
 public:
  Tensor() = default;  // undefined
  // Error(shape): the view leaves the storage.
  Tensor(std::shared_ptr<Storage> storage, DataType type, const Shape& shape);
  Tensor(std::shared_ptr<Storage> storage, DataType type, const Shape& shape, const Shape& strides,
         int64_t offset);

  bool defined() const { return storage_ != nullptr; }
  DataType type() const { return type_; }
  Device device() const { return storage_->device(); }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }  // in elements
  int64_t size(int axis) const { return shape_[axis]; }
  int rank() const { return shape_.rank(); }
  int64_t numel() const { return shape_.numel(); }
  size_t bytes() const { return static_cast<size_t>(numel()) * size_of(type_); }
  size_t offset_bytes() const {  // of the first element in the storage
    return static_cast<size_t>(offset_) * size_of(type_);
  }
  bool contiguous() const;
  bool unique() const { return storage_.use_count() == 1; }

  // First element; null in a dry run. Error(internal): another type.
  template <typename T>
  T* data() const {
    check_type(data_type_of<T>);
    return reinterpret_cast<T*>(raw());
  }
  std::byte* raw() const;
  // The elements of a contiguous tensor in host memory. Error(internal): not contiguous, or not in
  // host memory.
  template <typename T>
  std::span<T> span() const {
    check_host();
    return {data<T>(), static_cast<size_t>(numel())};
  }

  // Views that share the memory and carry no variable (constants to a tape): for slabs, files and
  // op bodies. Inside a network use the recorded ops of kernels/ops/views.h.
  Tensor viewed(
      const Shape& shape) const;  // Error(shape): another number of elements, not contiguous
  Tensor viewed(const Shape& shape, const Shape& strides,
                int64_t offset) const;  // offset from this view's first
  Tensor detached() const;

  Variable variable() const { return variable_; }
  void set_variable(Variable variable) { variable_ = variable; }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

 private:
  void check_type(DataType type) const;
  void check_host() const;

  std::shared_ptr<Storage> storage_;
  Shape shape_, strides_;
  int64_t offset_ = 0;  // elements
  DataType type_ = DataType::f32;
  Variable variable_;
};

// A tensor on the heap of the host, 64-byte aligned, zero-filled: for files, tests and data,
// outside of any context.
Tensor host_tensor(const Shape& shape, DataType type);

}  // namespace py4cast
