#include "kernels/views.h"

#include "kernels/dispatch.h"

namespace py4cast {

Tensor reshape(Context& context, const Tensor& x, const Shape& shape) {
  if (shape.numel() != x.numel())
    throw shape_error(context, "reshape: ", x.shape(), " has not the size of ", shape);
  return record(context, "reshape", {x}, x.viewed(shape),
                [before = x.shape()](Context& inner, Gradients dy, const Needed&) -> Gradients {
                  return {reshape(inner, dy[0], before)};
                });
}

}  // namespace py4cast
