// Re-arrangements of tensors, recorded on the tape. Results are contiguous; copies are made where
// the layout asks for it.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// The same elements in another shape; shares the memory.
Tensor reshape(Context& context, const Tensor& x, const Shape& shape);

}  // namespace py4cast
