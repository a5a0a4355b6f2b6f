// From an op to its kernel: device, instruction level and element type chosen at run time.
#pragma once

#include "engine/context.h"
#include "kernels/view.h"

namespace py4cast {

template <typename T>
struct Type {
  using type = T;
};

template <typename T>
View<T> view(const Tensor& tensor) {
  return {tensor.data<std::remove_const_t<T>>(), tensor.numel()};
}

// Calls f(device_tag, Type<T>{}) for the element type of x, which must be one of Types; does
// nothing in a dry run. Device tags: Cpu<level>, Cuda. Error(shape): a type the op does not have.
template <typename... Types, typename F>
void on_device(const Context& context, const char* op, DataType type, F&& f) {
  const auto with_type = [&](auto device) {
    const bool found =
        ((type == data_type_of<Types> ? (f(device, Type<Types>{}), true) : false) || ...);
    if (!found) throw shape_error(context, op, ": no kernel for elements of type ", name_of(type));
  };
  if (context.dry()) return;
#if PY4CAST_CUDA
  if (context.device.kind == DeviceKind::cuda) return with_type(Cuda{context.stream});
#endif
  switch (context.cpu_level) {
    case CpuLevel::baseline:
      return with_type(Cpu<CpuLevel::baseline>{});
    case CpuLevel::avx2:
      return with_type(Cpu<CpuLevel::avx2>{});
    case CpuLevel::avx512:
      return with_type(Cpu<CpuLevel::avx512>{});
  }
}

// Checks shared by ops; the messages name the op, the argument and the shapes.
void check_same_shape(const Context& context, const char* op, const char* a_name, const Tensor& a,
                      const char* b_name, const Tensor& b);
// v has one element for each channel (last axis) of x.
void check_per_channel(const Context& context, const char* op, const char* v_name, const Tensor& v,
                       const Tensor& x);

// The result may take over x's memory (same shape and type, nobody else holds it), else fresh
// memory.
Tensor reuse_or_empty(Context& context, Tensor& x);

}  // namespace py4cast
