// The trainer from inside: memory at step boundaries, and what a step is.
#include "train/trainer.h"

#include <gtest/gtest.h>

#include "tests/devices.h"
#include "tests/train/forecast/small_training.h"
#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/cuda_emulation.h"
#endif

namespace py4cast {
namespace {

using Small = SmallTraining;

class Trainers : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Devices, Trainers, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param; });

// After the first steps of each kind nothing is allocated: the ledger is equal at every step
// boundary, block for block.
TEST_P(Trainers, MemoryIsConstantFromStepToStep) {
  Small small({.device = GetParam()});
  std::vector<MemoryLedger::Snapshot> snapshots;
  std::vector<uint64_t> allocations;
  TrainerObserver observer;
  observer.on_step = [&](const StepReport& report, int64_t) {
    if (report.place.epoch == 0) return;  // the second epoch has met every shape
    snapshots.push_back(small.ledger.snapshot());
    allocations.push_back(small.ledger.allocations());
  };
  small.trainer->fit(observer);
  ASSERT_GT(snapshots.size(), 3u);
  for (size_t i = 1; i < snapshots.size(); ++i) {
    EXPECT_EQ(snapshots[i], snapshots[0]) << "step " << i;
    EXPECT_EQ(allocations[i], allocations[0]) << "step " << i;
  }
}

TEST_P(Trainers, PlansMemoryWithoutTakingIt) {
  Small small({.device = GetParam()});
  const size_t before = small.ledger.live_bytes(Owner::activations);
  const StepPlan& plan = small.trainer->plan();
  EXPECT_GT(plan.bytes, 500000u);
  EXPECT_GE(plan.bytes, plan.live_bytes);
  EXPECT_LT(plan.bytes, plan.live_bytes * 5 / 4);
  EXPECT_EQ(small.ledger.live_bytes(Owner::activations), before);
}

TEST(Trainer, StepsPerEpochCountAccumulatedBatches) {
  const Small one;
  EXPECT_EQ(one.trainer->steps_per_epoch(), one.task->batches_per_epoch());
  Small small({.accumulate = 4});
  EXPECT_EQ(small.trainer->steps_per_epoch(), (small.task->batches_per_epoch() + 3) / 4);
  int64_t steps = 0;
  TrainerObserver observer;
  observer.on_step = [&](const StepReport&, int64_t) { ++steps; };
  small.trainer->fit(observer);
  EXPECT_EQ(steps, 2 * small.trainer->steps_per_epoch());
  EXPECT_EQ(small.trainer->position().step, steps);
}

// In bf16 the losses are nearly those of fp32 and fall likewise; activations take less memory, and
// parameters and moments are f32.
TEST(Trainer, TrainsInBf16) {
  Small wide, brief({.precision = Precision::bf16});
  const auto bytes = [](Small& small) { return static_cast<double>(small.trainer->plan().bytes); };
  EXPECT_LT(bytes(brief), 0.75 * bytes(wide));
  const std::vector<double> expected = wide.train().second, found = brief.train().second;
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i] / expected[i], 1, 0.03) << "step " << i + 1;
  EXPECT_LT(found.back(), 0.9 * found.front());
  EXPECT_EQ(brief.network->slab().values().type(), DataType::f32);
  EXPECT_EQ(brief.optimizer->state()[0].second.type(), DataType::f32);
}

// The running statistics are those of num_batches_tracked calls: predictions x micro-batches.
TEST_P(Trainers, RunningStatisticsCountEveryCall) {
  Small small({.device = GetParam()});
  small.trainer->fit({});
  int counters = 0;
  for (const auto& [name, tensor] : small.network->slab().state()) {
    if (!name.ends_with("num_batches_tracked")) continue;
    EXPECT_EQ(*tensor.data<int64_t>(), 2 * 2 * small.micro_batches()) << name;
    ++counters;
  }
  EXPECT_GT(counters, 0);
}

#if PY4CAST_CUDA
// Steps of 2 micro-batches, and one of 1 at the end of the epoch.
TEST(TrainerOnGpu, CapturedStepsEqualPlainOnesBitForBit) {
  Small captured({.device = "cuda", .accumulate = 2}),
      plain({.device = "cuda", .accumulate = 2, .cuda_graph = false});
  const auto with = captured.train(), without = plain.train();
  EXPECT_GE(captured.trainer->runner().graphs().captured(), 2);
  EXPECT_EQ(plain.trainer->runner().graphs().captured(), 0);
  EXPECT_EQ(with.second, without.second);
  EXPECT_TRUE(with.first == without.first);
}

TEST(TrainerOnGpu, LossesAreThoseOfTheCpu) {
  const std::vector<double> expected = Small({.little = true}).train().second,
                            found = Small({.device = "cuda"}).train().second;
  for (size_t step = 0; step < 3; ++step)
    EXPECT_NEAR(found.at(step), expected.at(step), 2e-3 * expected.at(step)) << step;
}

#if PY4CAST_CUDA_EMULATED
// Whatever the order in which threads and streams run: no event, no barrier is missing.
TEST(TrainerOnGpu, TheOrderOfWorkDoesNotChangeBits) {
  using Settings = emulation::Settings;
  const Settings before = emulation::settings();
  std::vector<std::pair<std::string, std::vector<double>>> results;
  for (const Settings& order :
       {Settings{Settings::Threads::forward, Settings::Streams::minimal, 1},
        Settings{Settings::Threads::reverse, Settings::Streams::others_first, 2},
        Settings{Settings::Threads::random, Settings::Streams::random, 3}}) {
    emulation::settings() = order;
    results.push_back(Small({.device = "cuda", .accumulate = 2}).train());
  }
  emulation::settings() = before;
  EXPECT_TRUE(results[0] == results[1]);
  EXPECT_TRUE(results[0] == results[2]);
}
#endif
#endif

}  // namespace
}  // namespace py4cast
