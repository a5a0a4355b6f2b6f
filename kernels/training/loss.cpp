#include "kernels/training/loss.h"

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "kernels/training/loss_kernels.h"

namespace py4cast {
namespace {

// The leading axes: those of prediction that the mask does not have. Error(shape).
Shape check_loss(const Context& context, const Tensor& prediction, const Tensor& target,
                 const Tensor& mask, const Tensor& weights) {
  check_same_shape(context, "weighted_loss", "prediction", prediction, "target", target);
  check_per_channel(context, "weighted_loss", "weights", weights, prediction);
  if (weights.type() != prediction.type())
    throw shape_error(context, "weighted_loss: weights are ", name_of(weights.type()),
                      " but prediction is ", name_of(prediction.type()));
  return leading_axes(context, "weighted_loss", "mask", mask, "prediction", prediction);
}

}  // namespace

Tensor weighted_loss(Context& context, const Tensor& prediction, const Tensor& target,
                     const Tensor& mask, const Tensor& weights, LossKind kind) {
  const Shape leading = check_loss(context, prediction, target, mask, weights);
  const bool squared = kind == LossKind::squared;
  const int64_t items = leading.numel();
  const auto elements = static_cast<double>(prediction.numel());
  Tensor loss = context.empty(leading, prediction.type());
  Tensor factor = context.empty({items, weights.numel()}, prediction.type());
  {
    Tensor partial = context.empty(
        {items, chunk_count(context.device, mask.numel()), 2, weights.numel()}, DataType::f64);
    run_kernel<WeightedLoss, float, double>(context, "weighted_loss", prediction.type(), squared,
                                            prediction, target, mask, weights, partial, loss,
                                            factor);
  }

  Rule rule = [=](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
    if (inner.tape)
      return composite_gradients(
          inner,
          [&](Context& c) {
            return std::vector{weighted_loss_composite(c, prediction, target, mask, weights, kind)};
          },
          {prediction, target, mask, weights}, std::move(dy));
    Tensor dprediction = inner.empty(prediction.shape(), prediction.type());
    run_kernel<WeightedLossBackward, float, double>(inner, "weighted_loss", prediction.type(),
                                                    squared, dy[0], prediction, target, mask,
                                                    factor, dprediction);
    announce(inner, {"weighted_loss_gradient", 4 * elements},
             {dy[0], prediction, target, mask, factor}, {dprediction});
    Tensor dtarget = needed[1] ? scale(inner, dprediction, -1) : Tensor();
    return {std::move(dprediction), std::move(dtarget), Tensor(), Tensor()};
  };
  return record(context,
                {"weighted_loss", 5 * elements, {{"error", squared ? "squared" : "absolute"}}},
                {prediction, target, mask, weights}, std::move(loss), std::move(rule));
}

Tensor weighted_loss_composite(Context& context, const Tensor& prediction, const Tensor& target,
                               const Tensor& mask, const Tensor& weights, LossKind kind) {
  const Shape leading = check_loss(context, prediction, target, mask, weights);
  const int64_t items = leading.numel(), points = mask.numel(), features = weights.numel();
  const Shape all{items, points, features}, reduced{items, 1, features};
  const Tensor truth = reshape(context, target, all);
  const Tensor used =
      multiply(context, is_number(context, truth),
               broadcast(context, reshape(context, mask.detached(), Shape{1, points, 1}), all));
  const Tensor difference =
      subtract(context, reshape(context, prediction, all), without_nan(context, truth));
  const Tensor error = kind == LossKind::squared ? multiply(context, difference, difference)
                                                 : absolute(context, difference);
  const Tensor sums = sum_to(context, multiply(context, used, error), reduced);
  Tensor counts = sum_to(context, used, reduced);
  // a count of 0 has a sum of 0: any divisor gives 0
  counts = add(context, counts, affine(context, greater(context, counts, 0), -1, 1));
  const Tensor scales =
      broadcast(context, reshape(context, weights.detached(), Shape{1, 1, features}), reduced);
  const Tensor weighted = multiply(context, scales, divide(context, sums, counts));
  return reshape(context, sum(context, weighted, 2), leading);
}

}  // namespace py4cast
