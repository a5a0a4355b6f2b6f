#include "layers/batch_norm.h"

#include "kernels/ops/views.h"
#include "kernels/training/running_statistics.h"

namespace py4cast {
namespace {

constexpr double epsilon = 1e-5, batch_share = 0.1;

}  // namespace

BatchNorm::BatchNorm(const Builder& builder, int64_t features, Activation activation)
    : activation_(activation),
      gamma_(&builder.parameter("weight", {features}, {}, {1, 0})),
      beta_(&builder.parameter("bias", {features}, {}, {0, 0})),
      running_mean_(&builder.buffer("running_mean", {features}, 0)),
      running_variance_(&builder.buffer("running_var", {features}, 1)),
      batches_(&builder.buffer("num_batches_tracked", {}, 0, DataType::i64, true)) {}

Tensor BatchNorm::operator()(Context& context, const Tensor& x) const {
  const Tensor gamma = use(context, *gamma_), beta = use(context, *beta_);
  if (context.phase == Phase::evaluate)
    return batch_norm_evaluate(context, x, gamma, beta, running_mean_->value(),
                               running_variance_->value(), epsilon, activation_);
  BatchNormResult result = batch_norm(context, x, gamma, beta, epsilon, activation_);
  if (context.buffer_updates && !context.recompute)
    context.buffer_updates->push_back(
        {running_mean_, running_variance_, batches_, result.mean, result.variance, batch_share});
  return result.y;
}

int64_t statistics_size(const std::vector<BufferUpdate>& updates) {
  int64_t size = 0;
  for (const BufferUpdate& update : updates) size += 2 * update.mean->value().numel();
  return size;
}

Tensor joined_statistics(Context& context, const std::vector<BufferUpdate>& updates) {
  std::vector<Tensor> parts;
  for (const BufferUpdate& update : updates)
    parts.insert(parts.end(), {update.batch_mean, update.batch_variance});
  return concat(context, parts, 0);
}

void apply_statistics(Context& context, const std::vector<BufferUpdate>& updates,
                      const Tensor& statistics, const Tensor& norm) {
  int64_t begin = 0;
  const auto next = [&](const Parameter* parameter) {
    const Shape& shape = parameter->value().shape();
    const Tensor part = statistics.viewed(shape, row_major_strides(shape), begin);
    begin += shape.numel();
    return part;
  };
  for (const BufferUpdate& update : updates) {
    const Tensor mean = next(update.mean), variance = next(update.variance);
    update_running_statistics(context, update.mean->value(), update.variance->value(),
                              update.count->value(), mean, variance, update.momentum, norm);
  }
}

}  // namespace py4cast
