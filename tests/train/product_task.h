// A task so small that all that a training does can be worked out by hand.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "kernels/ops/arithmetic.h"
#include "kernels/ops/random.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "layers/batch_norm.h"
#include "train/trainer.h"

namespace py4cast {

// loss = w x of batch k, whose x is k + 1; w begins at 1, the learning rate is 0.1. Beside it a batch norm sees
// (x, 3 x), so that its running mean and variance are known. Two in a step.
class Product : public Task {
 public:
  Product(const Context& context, int64_t batches, int64_t rank, int64_t ranks,
          const Schedule& schedule = {.lr = 0.1})
      : context_(context), batches_(batches), rank_(rank), ranks_(ranks), builder_(slab_) {
    weight_ = &builder_.parameter("weight", {1}, {}, {1, 0});
    norm_ = std::make_unique<BatchNorm>(builder_.child("norm"), 1);
    slab_.allocate(context.device, context.ledger, true);
    slab_.initialise(RandomKey{1});
    learner_ = std::make_unique<Optimizer>("product", context, slab_, make_sgd({}), schedule, 0);
    x_ = Tensor(allocate(2 * sizeof(float), context.device, context.ledger, Owner::batches, "x"),
                DataType::f32, {2, 1});
  }

  // The loss is a random number instead.
  void draw() { draws_ = true; }

  double value(const std::string& name) const {
    for (const auto& [own, tensor] : slab_.state())
      if (own == name) return *converted(tensor, DataType::f64).data<double>();
    ADD_FAILURE() << name;
    return NAN;
  }

  int64_t batches_per_epoch() const override { return batches_; }
  void begin_epoch(int64_t, int64_t first_batch) override { next_ = first_batch + rank_; }
  bool next_batch() override {
    if (next_ >= batches_) return false;
    const Tensor host = host_tensor({2, 1}, DataType::f32);
    host.data<float>()[0] = static_cast<float>(next_ + 1);
    host.data<float>()[1] = static_cast<float>(3 * (next_ + 1));
    copy(host, x_);
    next_ += ranks_;
    return true;
  }
  std::string batch_key() const override { return "x"; }
  std::string describe_batch() const override { return {}; }
  std::string first_non_finite(Context&, const Move&) override { return {}; }
  std::vector<Move> round() override {
    return {{.name = "train",
             .learner = learner_.get(),
             .micro_batches = 2,
             .loss = [this](Context& context) { return loss(context); }}};
  }
  // |w + 0.4|, and w itself among the scores.
  Evaluation evaluate(Context, Split, Communicator&) override {
    const double weight = value("weight");
    return {.loss = std::abs(weight + 0.4), .scores = {{"weight", weight}}};
  }

 private:
  // The mean of x and 3 x is 2 x.
  Tensor loss(Context& context) const {
    Context plain = context.without_tape();
    (*norm_)(plain, x_);
    if (draws_)
      return multiply(context, use(context, *weight_), uniform(context, {1}, DataType::f32, 1));
    return multiply(context, use(context, *weight_),
                    scale(context, reshape(context, mean_all(context, x_), {1}), 0.5));
  }

  Context context_;
  int64_t batches_, rank_, ranks_, next_ = 0;
  ParameterSlab slab_;
  Builder builder_;
  const Parameter* weight_ = nullptr;
  std::unique_ptr<BatchNorm> norm_;
  std::unique_ptr<Optimizer> learner_;
  Tensor x_;
  bool draws_ = false;
};

}  // namespace py4cast
