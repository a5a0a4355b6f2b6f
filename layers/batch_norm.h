// Batch normalisation with its statistics.
#pragma once

#include <vector>

#include "kernels/ops/batch_norm.h"
#include "layers/module.h"

namespace py4cast {

// y = activation(gamma (x - m) / sqrt(v + 1e-5) + beta) over the last axis; x [batch, spatial...,
// features]. Training: m, v are the batch's mean and biased variance, and a BufferUpdate (momentum
// 0.1, unbiased variance) is appended to context.buffer_updates. Evaluation: the running
// statistics. Names as PyTorch's BatchNorm2d: weight, bias, running_mean, running_var,
// num_batches_tracked.
class BatchNorm {
 public:
  BatchNorm(const Builder& builder, int64_t features, Activation activation = Activation::identity);
  Tensor operator()(Context& context, const Tensor& x) const;

 private:
  Activation activation_;
  const Parameter *gamma_, *beta_, *running_mean_, *running_variance_, *batches_;
};

// What a training step wants to change in the running statistics, beyond the life of its tensors:
// the statistics of the updates one after another, as a vector of statistics_size(updates)
// elements of the parameters' type.
int64_t statistics_size(const std::vector<BufferUpdate>& updates);
Tensor joined_statistics(Context& context, const std::vector<BufferUpdate>& updates);
// Applies them in order; of the updates only the parameters and the momentum are used. norm: see
// kernels/training/running_statistics.h.
void apply_statistics(Context& context, const std::vector<BufferUpdate>& updates,
                      const Tensor& statistics, const Tensor& norm = {});

}  // namespace py4cast
