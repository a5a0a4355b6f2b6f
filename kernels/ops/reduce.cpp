#include "kernels/ops/reduce.h"

#include <tuple>

#include "kernels/common/dispatch.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce_kernels.h"
#include "kernels/ops/views.h"

namespace py4cast {
namespace {

void check_broadcast(const Context& context, const char* op, const Shape& small,
                     const Shape& large) {
  bool fits = small.rank() == large.rank();
  for (int axis = 0; fits && axis < small.rank(); ++axis)
    fits = small[axis] == large[axis] || small[axis] == 1;
  if (!fits) throw shape_error(context, op, ": ", small, " does not broadcast to ", large);
}

// Runs of axes that differ are summed (or repeated) one after another; [begin, end) is the first
// such run.
std::pair<int, int> first_run(const Shape& small, const Shape& large) {
  int begin = 0;
  while (begin < small.rank() && small[begin] == large[begin]) ++begin;
  int end = begin;
  while (end < small.rank() && small[end] != large[end]) ++end;
  return {begin, end};
}

template <typename T>
using SumAlike = SumMiddle<T, T>;
template <typename T>
using SumWide = SumMiddle<T, Compute<T>>;

Tensor sum_run(Context& context, const Tensor& x, int begin, int end, DataType result) {
  Shape shape = x.shape();
  const int64_t outer = shape.product(0, begin), middle = shape.product(begin, end),
                inner = shape.product(end, shape.rank());
  for (int axis = begin; axis < end; ++axis) shape[axis] = 1;
  Tensor y = context.empty(shape, result);
  Tensor partial =
      context.empty({outer * chunk_count(context.device, middle) * inner}, DataType::f64);
  if (y.type() == x.type())
    run_kernel<SumAlike>(context, "sum", x.type(), x, outer, middle, inner, partial, y);
  else
    run_kernel<SumWide>(context, "sum", x.type(), x, outer, middle, inner, partial, y);
  return y;
}

Tensor sum_of_type(Context& context, const Tensor& x, const Shape& shape, DataType result) {
  check_broadcast(context, "sum_to", shape, x.shape());
  Tensor y = x.detached();
  for (auto [begin, end] = first_run(shape, y.shape()); begin < end;
       std::tie(begin, end) = first_run(shape, y.shape()))
    y = sum_run(context, y, begin, end, result);
  const double additions = per_element(x) - static_cast<double>(shape.numel());
  Context plain = context.without_tape();
  plain.observer = nullptr;
  return record(context, {"sum_to", additions}, {x}, cast(plain, y, result),
                [type = x.type(), large = x.shape()](Context& inner, Gradients dy, const Needed&)
                    -> Gradients { return {broadcast(inner, cast(inner, dy[0], type), large)}; });
}

Tensor repeat_run(Context& context, const Tensor& x, int begin, int end, const Shape& target) {
  Shape shape = x.shape();
  for (int axis = begin; axis < end; ++axis) shape[axis] = target[axis];
  Tensor y = context.empty(shape, x.type());
  run_kernel<RepeatMiddle>(context, "broadcast", x.type(), x, shape.product(0, begin),
                           shape.product(begin, end), shape.product(end, shape.rank()), y);
  return y;
}

}  // namespace

Tensor sum_to(Context& context, const Tensor& x, const Shape& shape) {
  return sum_of_type(context, x, shape, x.type());
}

Tensor wide_sum_to(Context& context, const Tensor& x, const Shape& shape) {
  return sum_of_type(context, x, shape, compute_type(x.type()));
}

Tensor broadcast(Context& context, const Tensor& x, const Shape& shape) {
  check_broadcast(context, "broadcast", x.shape(), shape);
  Tensor y = x.detached();
  for (auto [begin, end] = first_run(y.shape(), shape); begin < end;
       std::tie(begin, end) = first_run(y.shape(), shape))
    y = repeat_run(context, y, begin, end, shape);
  return record(context, {"broadcast"}, {x}, std::move(y),
                [small = x.shape()](Context& inner, Gradients dy, const Needed&) -> Gradients {
                  return {sum_to(inner, dy[0], small)};
                });
}

Tensor broadcast_last(Context& context, const Tensor& x, const Shape& shape) {
  Shape axes = shape;
  for (int axis = 0; axis < axes.rank(); ++axis) axes[axis] = 1;
  for (int axis = 1; axis <= x.rank(); ++axis) axes[-axis] = x.size(-axis);
  return broadcast(context, reshape(context, x, axes), shape);
}

Tensor sum(Context& context, const Tensor& x, int axis) {
  return sum_to(context, x, x.shape().with(axis, 1));
}

Tensor mean(Context& context, const Tensor& x, int axis) {
  return scale(context, sum(context, x, axis), 1.0 / static_cast<double>(x.size(axis)));
}

Tensor sum_all(Context& context, const Tensor& x) {
  Shape ones = x.shape();
  for (int axis = 0; axis < ones.rank(); ++axis) ones[axis] = 1;
  return reshape(context, sum_to(context, x, ones), Shape{});
}

Tensor mean_all(Context& context, const Tensor& x) {
  return scale(context, sum_all(context, x), 1.0 / static_cast<double>(x.numel()));
}

}  // namespace py4cast
