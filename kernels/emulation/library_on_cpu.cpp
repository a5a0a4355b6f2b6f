#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/library_on_cpu.h"

#include <bit>
#include <cstring>

#include "engine/cuda_runtime.h"

namespace py4cast::library_on_cpu {
namespace {

float rounded_to_tf32(float value) {
  return std::bit_cast<float>((std::bit_cast<uint32_t>(value) + 0x1000u) & ~0x1fffu);
}

// f(i, offset) for the elements in row-major order.
template <typename F>
void for_each(const Shape& shape, const Shape& strides, int axis, int64_t& i, int64_t offset,
              F&& f) {
  const int64_t count = shape[axis], stride = strides[axis];
  if (axis + 1 == shape.rank()) {
    for (int64_t k = 0; k < count; ++k) f(i + k, offset + k * stride);
    i += count;
  } else {
    for (int64_t k = 0; k < count; ++k)
      for_each(shape, strides, axis + 1, i, offset + k * stride, f);
  }
}

}  // namespace

size_t bytes_of(const Placed& tensor) {
  int64_t last = 0;
  for (int axis = 0; axis < tensor.shape.rank(); ++axis)
    last += (tensor.shape[axis] - 1) * tensor.strides[axis];
  return static_cast<size_t>(last + 1) * size_of(tensor.type);
}

bool addressable(const void* pointer, size_t bytes, size_t alignment) {
  return reinterpret_cast<uintptr_t>(pointer) % alignment == 0 &&
         emulation::device_bytes_from(pointer) >= bytes;
}

Tensor gathered(const Placed& from, bool tf32) {
  const Tensor result = host_tensor(from.shape, DataType::f32);
  const void* const data = emulation::device_bytes(from.data);
  float* to = result.data<float>();
  int64_t first = 0;
  if (from.type == DataType::bf16)
    for_each(from.shape, from.strides, 0, first, 0, [&](int64_t i, int64_t offset) {
      to[i] = static_cast<float>(static_cast<const bfloat16*>(data)[offset]);
    });
  else
    for_each(from.shape, from.strides, 0, first, 0, [&](int64_t i, int64_t offset) {
      const float value = static_cast<const float*>(data)[offset];
      to[i] = tf32 ? rounded_to_tf32(value) : value;
    });
  return result;
}

void scatter(const Tensor& values, const Placed& to) {
  void* const data = emulation::device_bytes(to.data);
  const float* from = values.data<float>();
  int64_t first = 0;
  for_each(to.shape, to.strides, 0, first, 0, [&](int64_t i, int64_t offset) {
    if (to.type == DataType::bf16)
      static_cast<bfloat16*>(data)[offset] = bfloat16(from[i]);
    else
      static_cast<float*>(data)[offset] = from[i];
  });
}

void spoil(void* workspace, size_t bytes) {
  if (bytes) std::memset(emulation::device_bytes(workspace), 0xff, bytes);
}

}  // namespace py4cast::library_on_cpu
#endif
