#include "kernels/ops/max_pool.h"

#include "kernels/common/dispatch.h"
#include "kernels/ops/max_pool_kernels.h"

namespace py4cast {
namespace {

// With stride and padding in numbers.
PoolGeometry complete(PoolGeometry geometry) {
  if (!geometry.stride.rank()) geometry.stride = geometry.window;
  if (!geometry.padding.rank()) {
    geometry.padding = geometry.window;
    for (int axis = 0; axis < geometry.window.rank(); ++axis) geometry.padding[axis] = 0;
  }
  return geometry;
}

PoolSizes pool_sizes(const Shape& x, const Shape& y, const PoolGeometry& given) {
  const PoolGeometry geometry = complete(given);
  PoolSizes s{x[0], {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, x.back()};
  const int spatial = x.rank() - 2;
  for (int axis = 0; axis < spatial; ++axis) {
    const int to = 3 - spatial + axis;
    s.in[to] = x[axis + 1];
    s.out[to] = y[axis + 1];
    s.window[to] = geometry.window[axis];
    s.stride[to] = geometry.stride[axis];
    s.padding[to] = geometry.padding[axis];
  }
  return s;
}

Tensor gather(Context& context, const Tensor& x, const Tensor& v, const PoolGeometry& geometry) {
  const Shape shape = max_pool_shape(context, x.shape(), geometry);
  check_same_shape(context, "max_pool", "x", x, "v", v);
  Tensor y = context.empty(shape, x.type());
  run_kernel<MaxPoolGather>(context, "max_pool", x.type(), pool_sizes(x.shape(), shape, geometry),
                            x, v, y);
  return y;
}

// per_window: operations beside the comparisons that find the largest of a window.
Tensor record_pool(Context& context, const char* op, const PoolGeometry& given, double windows,
                   double per_window, std::initializer_list<Tensor> inputs, Tensor result,
                   Rule rule) {
  const PoolGeometry geometry = complete(given);
  const double comparisons = static_cast<double>(geometry.window.numel() - 1);
  return record(
      context,
      {op,
       windows * (comparisons + per_window),
       {{"window", geometry.window}, {"stride", geometry.stride}, {"padding", geometry.padding}}},
      inputs, std::move(result), std::move(rule));
}

}  // namespace

Shape max_pool_shape(const Context& context, const Shape& x, const PoolGeometry& geometry) {
  const int spatial = x.rank() - 2;
  const auto fits = [&](const Shape& numbers, bool optional) {
    return numbers.rank() == spatial || (optional && numbers.rank() == 0);
  };
  if (spatial < 1 || spatial > 3 || !fits(geometry.window, false) || !fits(geometry.stride, true) ||
      !fits(geometry.padding, true))
    throw shape_error(context, "max_pool: window ", geometry.window, ", stride ", geometry.stride,
                      ", padding ", geometry.padding,
                      " do not give one number for each spatial axis of x ", x);
  const auto [windows, strides, paddings] = complete(geometry);
  Shape y = x;
  for (int axis = 0; axis < spatial; ++axis) {
    const int64_t window = windows[axis], stride = strides[axis], padding = paddings[axis];
    const int64_t room = x[axis + 1] + 2 * padding - window;
    if (window < 1 || stride < 1 || 2 * padding > window || room < 0)
      throw shape_error(context, "max_pool: window ", window, ", stride ", stride, ", padding ",
                        padding, " on axis ", axis + 1, " of x ", x,
                        " (the padding is at most half the window, the window fits)");
    y[axis + 1] = room / stride + 1;
  }
  return y;
}

Tensor max_pool(Context& context, const Tensor& x, const PoolGeometry& geometry) {
  Tensor y = gather(context, x, x, geometry);
  const double windows = per_element(y);
  return record_pool(context, "max_pool", geometry, windows, 0, {x}, std::move(y),
                     [=](Context& inner, Gradients dy, const Needed&) -> Gradients {
                       return {max_pool_scatter(inner, x, dy[0], geometry)};
                     });
}

Tensor max_pool_gather(Context& context, const Tensor& x, const Tensor& v,
                       const PoolGeometry& geometry) {
  Tensor y = gather(context, x, v, geometry);
  const double windows = per_element(y);
  return record_pool(context, "max_pool_gather", geometry, windows, 0, {x.detached(), v},
                     std::move(y), [=](Context& inner, Gradients dy, const Needed&) -> Gradients {
                       return {Tensor(), max_pool_scatter(inner, x, dy[0], geometry)};
                     });
}

Tensor max_pool_scatter(Context& context, const Tensor& x, const Tensor& dy,
                        const PoolGeometry& geometry) {
  const Shape shape = max_pool_shape(context, x.shape(), geometry);
  if (!(dy.shape() == shape) || dy.type() != x.type())
    throw shape_error(context, "max_pool: dy is ", name_of(dy.type()), " ", dy.shape(),
                      " but the pool of x gives ", name_of(x.type()), " ", shape);
  Tensor dx = context.empty(x.shape(), x.type());
  run_kernel<MaxPoolScatter>(context, "max_pool", x.type(), pool_sizes(x.shape(), shape, geometry),
                             x, dy, dx);
  return record_pool(context, "max_pool_scatter", geometry, per_element(dy), 1, {x.detached(), dy},
                     std::move(dx), [=](Context& inner, Gradients g, const Needed&) -> Gradients {
                       return {Tensor(), max_pool_gather(inner, x, g[0], geometry)};
                     });
}

}  // namespace py4cast
