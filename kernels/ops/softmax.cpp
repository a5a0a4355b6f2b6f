#include "kernels/ops/softmax.h"

#include "kernels/common/dispatch.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/softmax_kernels.h"

namespace py4cast {

Tensor softmax(Context& context, const Tensor& x) {
  if (x.rank() < 1 || x.shape().back() < 1)
    throw shape_error(context, "softmax: x is ", x.shape(), " and has no elements to weigh");
  const int64_t columns = x.shape().back();
  Tensor y = context.empty(x.shape(), x.type());
  run_kernel<SoftmaxForward>(context, "softmax", x.type(), columns, x, y);

  Rule rule = [x, y, columns](Context& inner, Gradients dy, const Needed&) -> Gradients {
    if (inner.tape) {
      const Tensor weight = softmax(inner, x);
      const Tensor mean = sum(inner, multiply(inner, weight, dy[0]), -1);
      const Tensor deviation = subtract(inner, dy[0], broadcast(inner, mean, x.shape()));
      return {multiply(inner, weight, deviation)};
    }
    Tensor dx = inner.empty(x.shape(), x.type());
    run_kernel<SoftmaxBackward>(inner, "softmax", x.type(), columns, y, dy[0], dx);
    return {dx};
  };
  return record(context, {"softmax", per_element(x, 5)}, {x}, std::move(y), std::move(rule));
}

}  // namespace py4cast
