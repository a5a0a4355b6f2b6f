// What steps do, in numbers that were worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>
#include <vector>

#include "engine/runtime.h"
#include "tests/devices.h"
#include "tests/train/product_task.h"
#include "tests/train/twins.h"
#include "train/trainer.h"

namespace py4cast {
namespace {

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
  expect_near(seen.epochs, {(1 + 2 + 3 * 0.85 + 4 * 0.85 + 5 * 0.5) / 5});
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

// All micro-batches of all epochs, and the same in another run.
TEST_P(StepValues, RandomNumbersAreThoseOfTheMicroBatch) {
  std::vector<double> first;
  for (int run = 0; run < 2; ++run) {
    Runtime runtime(GetParam());
    Product task(runtime.context(), 5, 0, 1, {.lr = 0});
    task.draw();
    Trainer trainer(runtime.context(), task, runtime.communicator(), {.epochs = 2});
    Seen seen;
    trainer.fit(seen.observer());
    std::vector<double> drawn;
    for (const auto& losses : seen.losses) drawn.insert(drawn.end(), losses.begin(), losses.end());
    ASSERT_EQ(drawn.size(), 10u);
    EXPECT_EQ(std::set<double>(drawn.begin(), drawn.end()).size(), 10u);
    if (run == 0) first = drawn;
    EXPECT_EQ(drawn, first);
  }
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
