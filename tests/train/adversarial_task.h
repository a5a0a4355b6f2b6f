// A second task, to see that the seams hold: two small networks that play against each other on random
// vectors, as a Wasserstein GAN with a gradient penalty does.
//
// The generator G makes vectors from noise z and a condition c; the critic C scores vectors beside their
// condition. n moves of the critic, with AdamW:
//   mean C(G(z, c), c) - mean C(x, c) + 10 mean (|dC(u, c)/du| - 1)^2,   u = x + e (G(z, c) - x), e uniform
// then one of the generator, with SGD: -mean C(G(z, c), c). z and e are drawn inside of the step.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/samples/device_batches.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/random.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "kernels/products/linear.h"
#include "layers/module.h"
#include "train/trainer.h"

namespace py4cast {

// (condition, vector) pairs: numbers of a formula.
class VectorSamples : public Samples {
 public:
  static constexpr int64_t condition = 3, width = 5;
  explicit VectorSamples(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  std::vector<BufferSpec> buffers() const override {
    return {{"condition", {condition}}, {"vector", {width}}};
  }
  void load(int64_t index, std::span<std::byte* const> buffers) const override {
    float c[condition], x[width];
    for (int64_t i = 0; i < condition; ++i)
      c[i] = static_cast<float>(RandomKey{5}.uniform(static_cast<uint64_t>(index * condition + i)) -
                                0.5);
    for (int64_t i = 0; i < width; ++i)
      x[i] = c[i % condition] * c[(i + 1) % condition] + 0.1f * c[0];
    std::memcpy(buffers[0], c, sizeof c);
    std::memcpy(buffers[1], x, sizeof x);
  }

 private:
  int64_t size_;
};

// linear - ELU - linear; twice differentiable.
class TwoLayers {
 public:
  TwoLayers(const Builder& builder, int64_t in, int64_t middle, int64_t out) {
    layer(builder.child("first"), in, middle);
    layer(builder.child("second"), middle, out);
  }
  Tensor operator()(Context& context, const Tensor& x) const {
    return apply(context, 1, activation(context, apply(context, 0, x), Activation::elu));
  }

 private:
  void layer(const Builder& builder, int64_t in, int64_t out) {
    weights_.push_back(&builder.parameter("weight", {out, in}, {1, 0}, {0, 0.5}));
    biases_.push_back(&builder.parameter("bias", {out}, {}, {0, 0.1}));
  }
  Tensor apply(Context& context, size_t i, const Tensor& x) const {
    return linear(context, x, use(context, *weights_[i]), use(context, *biases_[i]));
  }
  std::vector<const Parameter*> weights_, biases_;
};

struct AdversarialSettings {
  int64_t samples = 26, batch_size = 3, critic_moves = 2, workers = 1;
  int64_t accumulate = 1;  // micro-batches of a rank in a step
  uint64_t seed = 3;
};

class AdversarialTask : public Task {
 public:
  static constexpr int64_t noise = 2, middle = 7;

  AdversarialTask(const Context& context, Communicator& communicator,
                  const AdversarialSettings& settings = {})
      : settings_(settings),
        context_(context),
        critic_(Builder(critic_slab_), VectorSamples::width + VectorSamples::condition, middle, 1),
        generator_(Builder(generator_slab_), noise + VectorSamples::condition, middle,
                   VectorSamples::width),
        critic_learner_(prepared(context, critic_slab_, 1, "critic", make_adamw({}))),
        generator_learner_(prepared(context, generator_slab_, 2, "generator",
                                    make_sgd({.momentum = 0.5, .nesterov = true}))),
        batches_(std::make_shared<VectorSamples>(settings.samples),
                 {.batch_size = settings.batch_size,
                  .num_workers = settings.workers,
                  .shuffle = true,
                  .key = RandomKey{settings.seed},
                  .rank = communicator.rank(),
                  .ranks = communicator.size(),
                  .pinned = context.device.kind != DeviceKind::cpu},
                 context),
        ranks_(communicator.size()) {}

  std::vector<Move> round() override {
    std::vector<Move> moves(static_cast<size_t>(settings_.critic_moves),
                            {.name = "critic",
                             .learner = critic_learner_.get(),
                             .micro_batches = settings_.accumulate,
                             .loss = [this](Context& context) { return critic_loss(context); }});
    moves.push_back({.name = "generator",
                     .learner = generator_learner_.get(),
                     .micro_batches = settings_.accumulate,
                     .loss = [this](Context& context) { return generator_loss(context); }});
    return moves;
  }

  int64_t batches_per_epoch() const override {
    return (settings_.samples + settings_.batch_size - 1) / settings_.batch_size;
  }
  void begin_epoch(int64_t epoch, int64_t first_batch) override {
    batches_.start(epoch, first_batch / ranks_);
  }
  bool next_batch() override {
    batch_ = batches_.next();
    return batch_ && batch_->count > 0;
  }
  std::string batch_key() const override { return std::to_string(batch_->count) + " vectors"; }
  std::string describe_batch() const override {
    return batches_.loader().samples().describe(batch_->samples[0]);
  }
  std::string first_non_finite(Context&, const Move& move) override {
    return "the score of the " + move.name + " is not finite";
  }
  // How far the generator's mean is from that of the data it has seen: any number that all ranks agree on.
  Evaluation evaluate(Context, Split, Communicator&) override {
    double sum = 0;
    for (const auto& [name, tensor] : generator_slab_.state())
      for (const float x : tensor.span<float>()) sum += x * x;
    return {.loss = sum, .scalars = {{"val_size", sum}}};
  }
  std::vector<std::string> folder_names() const override { return {"vectors", "adversarial"}; }

  ParameterSlab& critic_slab() { return critic_slab_; }
  ParameterSlab& generator_slab() { return generator_slab_; }
  Optimizer& critic_learner() { return *critic_learner_; }

  Tensor critic_loss(Context& context) const {
    const Tensor condition = batch_->tensors.at("condition"), truth = batch_->tensors.at("vector");
    const Tensor made = generate(context);
    const Tensor gap = subtract(context, mean_all(context, score(context, made, condition)),
                                mean_all(context, score(context, truth, condition)));
    // The penalty: how far the critic's slope between truth and forgery is from 1.
    const Tensor share = uniform(context, {truth.size(0), 1}, truth.type(), 1, 0, 1);
    Tensor between = add(context, truth,
                         multiply(context, broadcast(context, share, truth.shape()),
                                  subtract(context, made, truth)));
    if (context.tape) between = context.tape->watch(between.detached());
    const Tensor scores = score(context, between, condition);
    Context plain = context.without_tape();
    const Tensor slope = context.tape->gradient(context, {&scores, 1},
                                                {full(plain, scores.shape(), scores.type(), 1)},
                                                {&between, 1}, true)[0];
    const Tensor squares = sum(context, multiply(context, slope, slope), -1);
    const Tensor excess =
        affine(context, power(context, affine(context, squares, 1, 1e-12), 0.5), 1, -1);
    const Tensor penalty = mean_all(context, multiply(context, excess, excess));
    return add(context, gap, scale(context, penalty, 10));
  }
  Tensor generator_loss(Context& context) const {
    const Tensor scores = score(context, generate(context), batch_->tensors.at("condition"));
    return scale(context, mean_all(context, scores), -1);
  }

 private:
  static std::unique_ptr<Optimizer> prepared(const Context& context, ParameterSlab& slab,
                                             uint64_t seed, const std::string& name,
                                             std::unique_ptr<UpdateRule> rule) {
    slab.allocate(context.device, context.ledger, true);
    slab.initialise(RandomKey{seed});
    return std::make_unique<Optimizer>(name, context, slab, std::move(rule), Schedule{.lr = 0.02});
  }
  Tensor generate(Context& context) const {
    const Tensor condition = batch_->tensors.at("condition");
    const Tensor z = uniform(context, {condition.size(0), noise}, condition.type(), 0, -1, 1);
    return generator_(context, concat(context, {z, condition}, -1));
  }
  Tensor score(Context& context, const Tensor& x, const Tensor& condition) const {
    return critic_(context, concat(context, {x, condition}, -1));
  }

  AdversarialSettings settings_;
  Context context_;
  ParameterSlab critic_slab_, generator_slab_;
  TwoLayers critic_, generator_;
  std::unique_ptr<Optimizer> critic_learner_, generator_learner_;
  DeviceBatches batches_;
  int64_t ranks_;
  const Batch* batch_ = nullptr;
};

}  // namespace py4cast
