// A training that takes little time on any device: a chain of layers of odd sizes on random
// numbers.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/products/linear.h"
#include "layers/batch_norm.h"
#include "tests/devices.h"
#include "train/trainer.h"

namespace py4cast {

// Of any options that name the rest.
template <typename Options>
TrainerSettings chain_settings(const Options& options, int64_t epochs) {
  TrainerSettings settings;
  settings.epochs = epochs;
  settings.step.cuda_graph = options.cuda_graph;
  settings.step.bucket_bytes = options.bucket_bytes;
  return settings;
}

// loss = mean of y^2; x -> linear -> batch norm -> linear -> linear with the same weight twice, without a
// bias -> linear to many features -> linear -> y. The last layer comes first in the slab, and one parameter
// is not used at all.
class ChainTask : public Task {
 public:
  static constexpr int64_t rows = 6, in = 5, middle = 3, many = 400;

  // Rank `rank` of `ranks` has the batches rank, rank + ranks, ... of an epoch, and takes `accumulate`
  // of them in a step.
  ChainTask(const Context& context, int64_t batches, int64_t accumulate, int64_t rank,
            int64_t ranks)
      : context_(context),
        batches_(batches),
        accumulate_(accumulate),
        rank_(rank),
        ranks_(ranks),
        builder_(slab_) {
    const auto layer = [&](const std::string& name, int64_t from, int64_t to) {
      weights_.push_back(&builder_.parameter(name + ".weight", {from, to}, {}, {0, 0.4}));
      biases_.push_back(name == "twice" ? nullptr
                                        : &builder_.parameter(name + ".bias", {to}, {}, {0, 0.1}));
    };
    layer("last", many, 1);
    layer("first", in, 7);
    norm_ = std::make_unique<BatchNorm>(builder_.child("norm"), 7);
    layer("second", 7, middle);
    builder_.parameter("unused", {9}, {}, {1, 0});
    layer("twice", middle, middle);
    layer("wide", middle, many);
    slab_.allocate(context.device, context.ledger, true);
    slab_.initialise(RandomKey{7});
    learner_ = std::make_unique<Optimizer>("chain", context, slab_, make_adamw({}),
                                           Schedule{.lr = 1e-2}, 0.1);
    data_ = host_tensor({batches, rows, in}, DataType::f32);
    uint64_t index = 0;
    for (float& x : data_.span<float>())
      x = static_cast<float>(2 * RandomKey{8}.uniform(index++) - 1);
    there_ = Tensor(allocate(data_.bytes(), context.device, context.ledger, Owner::batches, "data"),
                    DataType::f32, data_.shape());
    copy(data_, there_);
    x_ = Tensor(allocate(static_cast<size_t>(rows * in) * sizeof(float), context.device,
                         context.ledger, Owner::batches, "x"),
                DataType::f32, {rows, in});
  }

  ParameterSlab& slab() { return slab_; }
  // Multiplies a parameter.
  void scale(const std::string& name, float factor) {
    for (const Parameter& parameter : slab_.parameters()) {
      if (parameter.name() != name) continue;
      const Tensor host = converted(on_host(parameter.value()), DataType::f32);
      for (float& x : host.span<float>()) x *= factor;
      copy(host, parameter.value());
    }
  }
  std::vector<float> batch(int64_t index) const {
    const auto part =
        data_.span<float>().subspan(static_cast<size_t>(index * rows * in), rows * in);
    return {part.begin(), part.end()};
  }
  void set_all(int64_t index, const std::vector<float>& numbers) {
    std::copy(numbers.begin(), numbers.end(), data_.data<float>() + index * rows * in);
    copy(data_, there_);
  }
  // Sets one element of a batch; returns what it was.
  float set(int64_t batch, float value) {
    std::swap(value, data_.span<float>()[static_cast<size_t>(batch * rows * in)]);
    copy(data_, there_);
    return value;
  }

  int64_t batches_per_epoch() const override { return batches_; }
  void begin_epoch(int64_t, int64_t first_batch) override { next_ = first_batch + rank_; }
  bool next_batch() override {
    if (next_ >= batches_) return false;
    copy(context_, there_.viewed({rows, in}, {in, 1}, next_ * rows * in), x_);
    next_ += ranks_;
    return true;
  }
  std::string batch_key() const override { return "chain"; }
  std::string describe_batch() const override { return "batch " + std::to_string(next_ - ranks_); }
  std::string first_non_finite(Context&, const Move&) override { return "x is not finite"; }
  std::vector<Move> round() override {
    return {{.name = "train",
             .learner = learner_.get(),
             .micro_batches = accumulate_,
             .loss = [this](Context& context) { return loss(context); }}};
  }

  Tensor loss(Context& context) const {
    const auto layer = [&](size_t index, const Tensor& x) {
      return linear(context, x, use(context, *weights_[index]),
                    biases_[index] ? use(context, *biases_[index]) : Tensor());
    };
    Tensor x = (*norm_)(context, layer(1, x_));
    x = layer(3, layer(3, layer(2, x)));
    const Tensor y = layer(0, layer(4, x));
    return mean_all(context, multiply(context, y, y));
  }
  Evaluation evaluate(Context, Split, Communicator&) override { return {}; }

 private:
  Context context_;
  int64_t batches_, accumulate_, rank_, ranks_, next_ = 0;
  ParameterSlab slab_;
  Builder builder_;
  std::vector<const Parameter*> weights_, biases_;
  std::unique_ptr<BatchNorm> norm_;
  std::unique_ptr<Optimizer> learner_;
  Tensor data_, there_, x_;
};

// Everything that training changes, as bytes: parameters, running statistics, the optimisers' slabs.
inline std::string state_of(const Trainer& trainer) {
  std::string bytes;
  const auto append = [&](const Tensor& tensor) {
    bytes.append(reinterpret_cast<const char*>(tensor.raw()), tensor.bytes());
  };
  for (const Optimizer* learner : trainer.learners()) {
    for (const auto& [name, tensor] : learner->slab().state()) append(tensor);
    for (const auto& [name, slab] : learner->state()) append(on_host(slab));
  }
  return bytes;
}

// On each device, with and without captured steps where there are such.
struct Way {
  std::string device;
  bool cuda_graph;
};
inline std::vector<Way> ways() {
  std::vector<Way> result;
  for (const std::string& device : devices())
    for (bool cuda_graph : {false, true})
      if (device != "cpu" || !cuda_graph) result.push_back({device, cuda_graph});
  return result;
}

}  // namespace py4cast
