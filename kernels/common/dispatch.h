// From an op to its kernel: device, instruction level and element type chosen at run time.
#pragma once

#include <algorithm>
#include <concepts>

#include "engine/context.h"
#include "kernels/common/view.h"

namespace py4cast {

template <typename T>
struct Type {
  using type = T;
};

template <typename T>
View<T> view(const Tensor& tensor) {
  return {tensor.data<std::remove_const_t<T>>(), tensor.numel()};
}
// No elements if the tensor is undefined.
template <typename T>
View<T> view_or_none(const Tensor& tensor) {
  return tensor.defined() ? view<T>(tensor) : View<T>{nullptr, 0};
}

// What a kernel's struct is filled with: a tensor becomes the view that the field is, a number the
// field's type; the rest is passed on.
struct TensorArgument {
  const Tensor& tensor;
  template <typename T>
  operator View<T>() const {
    return view_or_none<T>(tensor);
  }
};
struct NumberArgument {
  double number;
  template <std::floating_point T>
  operator T() const {
    return static_cast<T>(number);
  }
};
inline TensorArgument argument(const Tensor& tensor) {
  return {tensor};
}
inline NumberArgument argument(double number) {
  return {number};
}
template <typename T>
requires(!std::same_as<T, double>) const T& argument(const T& value) {
  return value;
}
struct AnyArgument {
  template <typename T>
  operator T() const;
};

// Calls f(tag, Type<T>{}) for the element type, which must be one of Types. Error(shape): a type
// the op does not have.
template <typename... Types, typename Tag, typename F>
void with_type(const Context& context, const char* op, DataType type, Tag device, F&& f) {
  const bool found =
      ((type == data_type_of<Types> ? (f(device, Type<Types>{}), true) : false) || ...);
  if (!found) throw shape_error(context, op, ": no kernel for elements of type ", name_of(type));
}

// Calls f(device_tag, Type<T>{}) for the device and the element type of x; does nothing in a dry
// run. Device tags: Cpu<level>.
template <typename... Types, typename F>
void on_cpu(const Context& context, const char* op, DataType type, F&& f) {
  if (context.dry()) return;
  switch (context.cpu_level) {
    case CpuLevel::baseline:
      return with_type<Types...>(context, op, type, Cpu<CpuLevel::baseline>{}, f);
    case CpuLevel::avx2:
      return with_type<Types...>(context, op, type, Cpu<CpuLevel::avx2>{}, f);
    case CpuLevel::avx512:
    case CpuLevel::avx512_bf16:
    case CpuLevel::amx:
    case CpuLevel::amx_emulated:
      return with_type<Types...>(context, op, type, Cpu<CpuLevel::avx512>{}, f);
  }
}

// For products: in bf16 they have kernels of their own for the levels above avx512.
template <typename... Types, typename F>
void on_cpu_for_products(const Context& context, const char* op, DataType type, F&& f) {
  if (type == DataType::bf16 && !context.dry()) {
    if (context.cpu_level == CpuLevel::avx512_bf16)
      return f(Cpu<CpuLevel::avx512_bf16>{}, Type<bfloat16>{});
    if (context.cpu_level == CpuLevel::amx) return f(Cpu<CpuLevel::amx>{}, Type<bfloat16>{});
    if (context.cpu_level == CpuLevel::amx_emulated)
      return f(Cpu<CpuLevel::amx_emulated>{}, Type<bfloat16>{});
  }
  on_cpu<Types...>(context, op, type, f);
}

// As on_cpu, with the tag Cuda where that is the context's device.
template <typename... Types, typename F>
void on_device(const Context& context, const char* op, DataType type, F&& f) {
#if PY4CAST_CUDA
  if (context.device.kind == DeviceKind::cuda) {
    if (!context.dry()) with_type<Types...>(context, op, type, Cuda{context.stream}, f);
    return;
  }
#endif
  on_cpu<Types...>(context, op, type, f);
}

// Calls f(Cuda) and returns true if the context's device is a GPU, in a dry run, too: for ops that
// go to libraries there. In builds without CUDA f is never instantiated.
template <typename F>
bool on_cuda([[maybe_unused]] const Context& context, [[maybe_unused]] F&& f) {
#if PY4CAST_CUDA
  if (context.device.kind == DeviceKind::cuda) {
    f(Cuda{context.stream});
    return true;
  }
#endif
  return false;
}

// For the functions above: runs Kernel<T>{arguments...} on the device. Arguments are the struct's
// fields in their order: tensors (undefined: no elements) for views, a double for any floating
// type.
template <template <typename> typename Kernel, typename... Arguments>
auto running(const Arguments&... arguments) {
  return [&]<typename T>(auto device, Type<T>) {
    static_assert(
        !requires {
          Kernel<T>{argument(arguments)..., AnyArgument{}};
        },
        "a field of the kernel gets no argument");
    Kernel<T>{argument(arguments)...}.run(device);
  };
}

// The end of an op's checks: runs the kernel on the context's device for the element type. Types:
// f32, f64 and bf16 if none are given.
//   run_kernel<LayerNormForward>(context, "layer_norm", x.type(), x, gamma, beta, epsilon, y);
template <template <typename> typename Kernel, typename... Types, typename... Arguments>
void run_kernel(const Context& context, const char* op, DataType type,
                const Arguments&... arguments) {
  if constexpr (sizeof...(Types) == 0)
    on_device<float, double, bfloat16>(context, op, type, running<Kernel>(arguments...));
  else
    on_device<Types...>(context, op, type, running<Kernel>(arguments...));
}

// Of all axes but the last.
inline int64_t rows_of(const Tensor& x) {
  return x.numel() / std::max<int64_t>(x.shape().back(), 1);
}

// For OpNote::flops: `each` operations for each element.
inline double per_element(const Tensor& x, double each = 1) {
  return each * static_cast<double>(x.numel());
}

// Checks shared by ops; the messages name the op, the argument and the shapes.
void check_same_shape(const Context& context, const char* op, const char* a_name, const Tensor& a,
                      const char* b_name, const Tensor& b);
// v has one element for each channel (last axis) of x.
void check_per_channel(const Context& context, const char* op, const char* v_name, const Tensor& v,
                       const Tensor& x);
// The axes of x before those of its points, which the mask has beside an axis of 1; of one type.
Shape leading_axes(const Context& context, const char* op, const char* mask_name,
                   const Tensor& mask, const char* x_name, const Tensor& x);

// The result may take over x's memory (same shape and type, nobody else holds it), else fresh
// memory.
Tensor reuse_or_empty(Context& context, Tensor& x);

}  // namespace py4cast
