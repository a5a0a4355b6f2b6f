// What steps do, in numbers that were worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "engine/runtime.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "layers/batch_norm.h"
#include "tests/devices.h"
#include "tests/train/twins.h"
#include "train/trainer.h"

namespace py4cast {
namespace {

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
  Evaluation evaluate(Context, Split, Communicator&) override { return {}; }

 private:
  // The mean of x and 3 x is 2 x.
  Tensor loss(Context& context) const {
    Context plain = context.without_tape();
    (*norm_)(plain, x_);
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
};

struct Seen {
  std::vector<std::vector<double>> losses;
  std::vector<double> means, rates, epochs;
  TrainerObserver observer() {
    TrainerObserver result;
    result.on_step = [this](const StepReport& report, int64_t) {
      losses.push_back(report.losses);
      means.push_back(report.loss);
      rates.push_back(report.lr);
    };
    result.on_epoch = [this](int64_t, double mean) { epochs.push_back(mean); };
    return result;
  }
};

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-6) << i;
}

class StepValues : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Devices, StepValues, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param; });

// Steps of the batches (1, 2), (3, 4) and (5): the last one's gradient is halved, too, as a mean over all micro-batches
// that a step may have.
TEST_P(StepValues, OfOneRank) {
  Runtime runtime(GetParam());
  Product task(runtime.context(), 5, 0, 1);
  Trainer trainer(runtime.context(), task, runtime.communicator(), {.epochs = 1});
  Seen seen;
  trainer.fit(seen.observer());
  // w: 1, 1 - 0.1 * 3 / 2 = 0.85, 0.85 - 0.1 * 7 / 2 = 0.5, 0.5 - 0.1 * 5 / 2 = 0.25
  ASSERT_EQ(seen.losses.size(), 3u);
  expect_near(seen.losses[0], {1, 2});
  expect_near(seen.losses[1], {3 * 0.85, 4 * 0.85});
  expect_near(seen.losses[2], {5 * 0.5});
  expect_near(seen.means, {1.5, 2.975, 2.5});
  expect_near(seen.epochs, {(1.5 + 2.975 + 2.5) / 3});
  EXPECT_NEAR(task.value("weight"), 0.25, 1e-6);
  // All five, a tenth each: the mean of (x, 3 x) is 2 x, its unbiased variance 2 x^2.
  double mean = 0, variance = 1;
  for (double x = 1; x <= 5; ++x) {
    mean = 0.9 * mean + 0.1 * 2 * x;
    variance = 0.9 * variance + 0.1 * 2 * x * x;
  }
  EXPECT_NEAR(task.value("norm.running_mean"), mean, 1e-6);
  EXPECT_NEAR(task.value("norm.running_var"), variance, 1e-5);
}

// Rank 0 has the batches 1, 3, 5 of six; the other one says that it has the same. The losses of a step are told in the
// order of the batches: those of both ranks, one after another.
TEST_P(StepValues, OfTwoRanks) {
  Runtime runtime(GetParam());
  Twins twins(GetParam() != "cpu");
  Product task(runtime.context(), 6, 0, 2);
  Trainer trainer(runtime.context(), task, twins, {.epochs = 1});
  Seen seen;
  trainer.fit(seen.observer());
  // w: 1, 1 - 0.1 * (1 + 1 + 3 + 3) / 4 = 0.8, 0.8 - 0.1 * (5 + 5) / 4 = 0.55
  ASSERT_EQ(seen.losses.size(), 2u);
  expect_near(seen.losses[0], {1, 1, 3, 3});
  expect_near(seen.losses[1], {5 * 0.8, 5 * 0.8});
  EXPECT_NEAR(task.value("weight"), 0.55, 1e-6);
}

// Half a cosine over all six steps of two epochs.
TEST(StepValues, OfTheLearningRate) {
  Runtime runtime("cpu");
  Product task(runtime.context(), 5, 0, 1, {.kind = Schedule::Kind::cosine, .lr = 0.1});
  Trainer trainer(runtime.context(), task, runtime.communicator(), {.epochs = 2});
  Seen seen;
  trainer.fit(seen.observer());
  std::vector<double> expected;
  for (int step = 0; step < 6; ++step)
    expected.push_back(0.05 * (1 + std::cos(std::numbers::pi * step / 6)));
  expect_near(seen.rates, expected);
}

}  // namespace
}  // namespace py4cast
