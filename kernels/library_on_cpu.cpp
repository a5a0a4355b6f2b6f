#if PY4CAST_CUDA_EMULATED
#include "kernels/library_on_cpu.h"

#include <bit>

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

Tensor gathered(const void* data, DataType type, const Shape& shape, const Shape& strides,
                bool tf32) {
  const Tensor result = host_tensor(shape, DataType::f32);
  float* to = result.data<float>();
  int64_t first = 0;
  if (type == DataType::bf16)
    for_each(shape, strides, 0, first, 0, [&](int64_t i, int64_t offset) {
      to[i] = static_cast<float>(static_cast<const bfloat16*>(data)[offset]);
    });
  else
    for_each(shape, strides, 0, first, 0, [&](int64_t i, int64_t offset) {
      const float value = static_cast<const float*>(data)[offset];
      to[i] = tf32 ? rounded_to_tf32(value) : value;
    });
  return result;
}

void scatter(const Tensor& values, void* data, DataType type, const Shape& shape,
             const Shape& strides) {
  const float* from = values.data<float>();
  int64_t first = 0;
  for_each(shape, strides, 0, first, 0, [&](int64_t i, int64_t offset) {
    if (type == DataType::bf16)
      static_cast<bfloat16*>(data)[offset] = bfloat16(from[i]);
    else
      static_cast<float*>(data)[offset] = from[i];
  });
}

}  // namespace py4cast::library_on_cpu
#endif
