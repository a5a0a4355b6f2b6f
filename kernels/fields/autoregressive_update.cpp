#include "kernels/fields/autoregressive_update.h"

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
#include "kernels/fields/autoregressive_update_kernels.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"

namespace py4cast {
namespace {

void check_update(const Context& context, const Tensor& last, const Tensor& y, const Tensor& scale,
                  const Tensor& shift, const Tensor& truth, const Tensor& border) {
  constexpr const char* op = "scaled_update";
  check_same_shape(context, op, "last", last, "y", y);
  check_per_channel(context, op, "scale", scale, last);
  check_per_channel(context, op, "shift", shift, last);
  if (!truth.defined()) return;
  check_same_shape(context, op, "last", last, "truth", truth);
  leading_axes(context, op, "border", border, "last", last);
}

}  // namespace

Tensor scaled_update(Context& context, const Tensor& last, Tensor y, const Tensor& scale,
                     const Tensor& shift, const Tensor& truth, const Tensor& border) {
  check_update(context, last, y, scale, shift, truth, border);
  const Tensor frame = truth.defined() ? border : Tensor();
  Tensor next = reuse_or_empty(context, y);
  run_kernel<ScaledUpdate, float, double>(context, "scaled_update", last.type(), last, y, scale,
                                          shift, truth, frame, next);
  const Shape shape = last.shape();
  const auto elements = static_cast<double>(last.numel());
  Rule rule = [=, scale = scale.detached()](Context& inner, Gradients dnext,
                                            const Needed& needed) -> Gradients {
    if (inner.tape) {
      // linear: the adjoint is made of products with constants
      const Tensor scales = broadcast_last(inner, scale, shape);
      Gradients result(6);
      if (!frame.defined()) {
        result[0] = dnext[0];
        result[1] = multiply(inner, dnext[0], scales);
        return result;
      }
      const Tensor outside = broadcast_last(inner, frame, shape),
                   inside = affine(inner, outside, -1, 1);
      result[0] = multiply(inner, dnext[0], inside);
      result[1] = multiply(inner, result[0], scales);
      result[4] = multiply(inner, dnext[0], outside);
      return result;
    }
    Gradients result(6);
    for (size_t i : {0, 1, 4})
      if (needed[i]) result[i] = inner.empty(shape, scale.type());
    run_kernel<ScaledUpdateBackward, float, double>(inner, "scaled_update", scale.type(), dnext[0],
                                                    scale, frame, result[0], result[1], result[4]);
    announce(inner, {"scaled_update_gradient", 3 * elements}, {dnext[0], scale, frame},
             {result[0], result[1], result[4]});
    return result;
  };
  return record(context, {"scaled_update", 3 * elements}, {last, y, scale, shift, truth, frame},
                std::move(next), std::move(rule));
}

Tensor scaled_update_composite(Context& context, const Tensor& last, const Tensor& y,
                               const Tensor& factor, const Tensor& shift, const Tensor& truth,
                               const Tensor& border) {
  check_update(context, last, y, factor, shift, truth, border);
  const auto along = [&](const Tensor& v) { return broadcast_last(context, v, last.shape()); };
  const Tensor change = add(context, multiply(context, y, along(factor)), along(shift));
  const Tensor next = add(context, last, change);
  if (!truth.defined()) return next;
  const Tensor outside = along(border);
  return add(context, multiply(context, outside, truth),
             multiply(context, affine(context, outside, -1, 1), next));
}

}  // namespace py4cast
