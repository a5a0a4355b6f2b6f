// The strategies, losses and metrics that are built in.
#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/fields/autoregressive_update.h"
#include "kernels/training/loss.h"
#include "train/forecast/registries.h"

namespace py4cast {
namespace {

ForecastLoss weighted(const char* name, LossKind kind, int power) {
  return {.name = name, .power = power, .make = [kind](const Json&) -> Loss {
            return [kind](Context& context, const Tensor& prediction, const Tensor& target,
                          const Tensor& mask, const Tensor& weights) {
              return weighted_loss(context, prediction, target, mask, weights, kind);
            };
          }};
}

MetricKind metric(const char* name, double (*value)(const ErrorMeans& means)) {
  return {.name = name, .make = [value](const Json&) -> Metric {
            return [value](const ErrorMeans& means, double scale) { return scale * value(means); };
          }};
}

}  // namespace

StrategyKind diff_ar() {
  return {.name = "diff_ar", .make = [](const Json&) -> Strategy {
            return [](Context& context, const StrategyStep& step) {
              return residual_update(context, step.last, step.output);
            };
          }};
}

StrategyKind scaled_ar() {
  return {.name = "scaled_ar",
          .inner_steps = true,
          .given_border = true,
          .make = [](const Json&) -> Strategy {
            return [](Context& context, const StrategyStep& step) {
              return scaled_update(context, step.last, step.output, step.difference_std,
                                   step.difference_mean, step.truth, step.border);
            };
          }};
}

ForecastLoss mean_square() {
  return weighted("mse", LossKind::squared, 2);
}
ForecastLoss mean_absolute() {
  return weighted("mae", LossKind::absolute, 1);
}

MetricKind root_mean_square_error() {
  return metric("rmse", [](const ErrorMeans& means) { return std::sqrt(means.squared); });
}
MetricKind sample_root_mean_square_error() {
  return metric("rmse_per_sample", [](const ErrorMeans& means) { return means.root_of_sample; });
}
MetricKind mean_absolute_error() {
  return metric("mae", [](const ErrorMeans& means) { return means.absolute; });
}
MetricKind mean_error() {
  return metric("bias", [](const ErrorMeans& means) { return means.bias; });
}

}  // namespace py4cast
