// What the stand-ins of cuBLASLt and cuDNN share: tensors in emulated device memory, read and
// written through any strides.
#pragma once

#include "engine/tensor.h"

namespace py4cast::library_on_cpu {

// A copy on the host in f32, row-major: element i... is at data + sum of i strides. `type` is f32
// or bf16; with tf32 each element is rounded to 10 bits of mantissa, ties away from zero.
Tensor gathered(const void* data, DataType type, const Shape& shape, const Shape& strides,
                bool tf32);

// The reverse; rounds to `type`.
void scatter(const Tensor& values, void* data, DataType type, const Shape& shape,
             const Shape& strides);

}  // namespace py4cast::library_on_cpu
