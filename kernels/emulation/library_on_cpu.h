// What the stand-ins of cuBLASLt and cuDNN share: tensors in emulated device memory, read and
// written through any strides.
#pragma once

#include "engine/tensor.h"

namespace py4cast::library_on_cpu {

// Element i... is at data + sum of i strides. `type` is f32 or bf16.
struct Placed {
  void* data = nullptr;
  DataType type = DataType::f32;
  Shape shape, strides;
};
size_t bytes_of(const Placed& tensor);  // from the first element to the last

// Device memory, `bytes` at least, at a multiple of `alignment`.
bool addressable(const void* pointer, size_t bytes, size_t alignment);

// A copy on the host in f32, row-major; with tf32 each f32 element is rounded to 10 bits of
// mantissa, ties away from zero.
Tensor gathered(const Placed& from, bool tf32 = false);
// The reverse; rounds to the type of `to`.
void scatter(const Tensor& values, const Placed& to);

// Whoever reads of a workspace what he has not written gets numbers that are none.
void spoil(void* workspace, size_t bytes);

}  // namespace py4cast::library_on_cpu
