// Batch normalisation with its statistics.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/batch_norm.h"
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

// What the training steps of one optimiser step want to change in the running statistics, as bytes
// that outlive the step's memory and travel between ranks: packing appends the updates of one step.
void pack(const ParameterSlab& slab, const std::vector<BufferUpdate>& updates,
          std::vector<std::byte>& bytes);
// Applies packed updates in order: running = (1 - momentum) running + momentum batch, count += 1.
void apply_packed(ParameterSlab& slab, std::span<const std::byte> bytes);

}  // namespace py4cast
