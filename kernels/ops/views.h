// Re-arrangements of tensors, recorded on the tape; any element type of at least two bytes. Results
// are contiguous; reshape shares the memory of x, and so does narrow where the slice is contiguous.
// Negative axes count from the end.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// The same elements in another shape; shares the memory.
Tensor reshape(Context& context, const Tensor& x, const Shape& shape);

// The tensors one after another along an axis. Error(shape): none given, or they differ in type or
// in another axis.
Tensor concat(Context& context, const std::vector<Tensor>& tensors, int axis);
// Tensors of one shape along a new axis, which the result has at position `axis`.
Tensor stack(Context& context, const std::vector<Tensor>& tensors, int axis);

// Indices [start, start + length) of an axis. Error(shape): they leave the axis.
Tensor narrow(Context& context, const Tensor& x, int axis, int64_t start, int64_t length);
// All indices of an axis in parts of these lengths, whose gradients are joined once. Error(shape): the
// lengths do not add up to the axis.
std::vector<Tensor> slices(Context& context, const Tensor& x, int axis,
                           const std::vector<int64_t>& lengths);
// The adjoint of narrow: zeros before and after x on an axis.
Tensor pad(Context& context, const Tensor& x, int axis, int64_t before, int64_t after);

// Axis i of the result is axis axes[i] of x. Error(shape): axes is not a permutation.
Tensor transpose(Context& context, const Tensor& x, const std::vector<int>& axes);

// Another type, among f64, f32 and bf16 (round to nearest even); x itself if it has that type.
Tensor cast(Context& context, const Tensor& x, DataType type);
// y = x, of another type, in place; not recorded.
void cast_into(Context& context, const Tensor& x, const Tensor& y);

}  // namespace py4cast
