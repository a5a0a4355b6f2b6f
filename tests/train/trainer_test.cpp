// The trainer from inside: memory at step boundaries, and what a step is.
#include "train/trainer.h"

#include <gtest/gtest.h>

#include "data/field_store.h"
#include "train/dataset_settings.h"
#include "train/forecast_task.h"
#include "train/network.h"

namespace py4cast {
namespace {

struct Small {
  explicit Small(int64_t accumulate = 1, Precision precision = Precision::fp32) {
    configuration.dataset.name = "dummy";
    configuration.training.strategy = "scaled_ar";
    configuration.training.batch_size = 2;
    configuration.training.num_pred_steps_train = 2;
    configuration.training.num_pred_steps_val_test = 3;
    configuration.training.num_workers = 0;
    configuration.training.accumulate_batches = accumulate;
    steps = make_steps(configuration.training);
    Context context;
    context.ledger = &ledger;
    context.precision = precision;
    store = FieldStore::open(dataset_settings(configuration), &ledger);
    const ModelShape shape{Forecaster::input_features(*store, steps), store->info().weather_dim(),
                           store->info().rows, store->info().columns};
    network = std::make_unique<Network>("halfunet", shape, Json{{"num_filters", 4}}, false, 42,
                                        context, true);
    task = std::make_unique<ForecastTask>(configuration, store, network->model(), steps,
                                          *communicator, context);
    TrainerSettings settings;
    settings.epochs = 2;
    settings.accumulate_batches = accumulate;
    settings.schedule.lr = 1e-3;
    trainer = std::make_unique<Trainer>(context, network->slab(), *task, *communicator, settings);
  }

  MemoryLedger ledger;
  Configuration configuration;
  Steps steps;
  std::unique_ptr<Communicator> communicator = single_process();
  std::shared_ptr<FieldStore> store;
  std::unique_ptr<Network> network;
  std::unique_ptr<ForecastTask> task;
  std::unique_ptr<Trainer> trainer;
};

// After the first steps of each kind nothing is allocated: the ledger is equal at every step
// boundary, block for block.
TEST(Trainer, MemoryIsConstantFromStepToStep) {
  Small small;
  std::vector<MemoryLedger::Snapshot> snapshots;
  std::vector<uint64_t> allocations;
  TrainerObserver observer;
  observer.on_step = [&](const StepReport& report, int64_t) {
    if (report.epoch == 0) return;  // the second epoch has met every shape
    snapshots.push_back(small.ledger.snapshot());
    allocations.push_back(small.ledger.allocations());
  };
  small.trainer->fit(observer);
  ASSERT_GT(snapshots.size(), 5u);
  for (size_t i = 1; i < snapshots.size(); ++i) {
    EXPECT_EQ(snapshots[i], snapshots[0]) << "step " << i;
    EXPECT_EQ(allocations[i], allocations[0]) << "step " << i;
  }
}

TEST(Trainer, PlansMemoryWithoutTakingIt) {
  Small small;
  const size_t before = small.ledger.live_bytes(Owner::activations);
  const StepPlan& plan = small.trainer->plan();
  EXPECT_GT(plan.bytes, 1000000u);
  EXPECT_GE(plan.bytes, plan.live_bytes);
  EXPECT_LT(plan.bytes, plan.live_bytes * 5 / 4);
  EXPECT_EQ(small.ledger.live_bytes(Owner::activations), before);
}

TEST(Trainer, StepsPerEpochCountAccumulatedBatches) {
  EXPECT_EQ(Small(1).trainer->steps_per_epoch(), Small(1).task->batches_per_epoch());
  Small small(4);
  EXPECT_EQ(small.trainer->steps_per_epoch(), (small.task->batches_per_epoch() + 3) / 4);
  int64_t steps = 0;
  TrainerObserver observer;
  observer.on_step = [&](const StepReport&, int64_t) { ++steps; };
  small.trainer->fit(observer);
  EXPECT_EQ(steps, 2 * small.trainer->steps_per_epoch());
  EXPECT_EQ(small.trainer->position().step, steps);
}

std::vector<double> losses_of_steps(Small& small) {
  std::vector<double> losses;
  TrainerObserver observer;
  observer.on_step = [&](const StepReport& report, int64_t) { losses.push_back(report.loss); };
  small.trainer->fit(observer);
  return losses;
}

// In bf16 the losses are nearly those of fp32 and fall likewise; activations take less memory, and
// parameters and moments are f32.
TEST(Trainer, TrainsInBf16) {
  Small wide, brief(1, Precision::bf16);
  const auto bytes = [](Small& small) { return static_cast<double>(small.trainer->plan().bytes); };
  EXPECT_LT(bytes(brief), 0.75 * bytes(wide));
  const std::vector<double> expected = losses_of_steps(wide), found = losses_of_steps(brief);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i] / expected[i], 1, 0.03) << "step " << i + 1;
  EXPECT_LT(found.back(), 0.9 * found.front());
  EXPECT_EQ(brief.network->slab().values().type(), DataType::f32);
  EXPECT_EQ(brief.trainer->first_moments().type(), DataType::f32);
}

// The running statistics are those of num_batches_tracked calls: predictions x micro-batches.
TEST(Trainer, RunningStatisticsCountEveryCall) {
  Small small;
  small.trainer->fit({});
  for (const auto& [name, tensor] : small.network->slab().state()) {
    if (!name.ends_with("num_batches_tracked")) continue;
    EXPECT_EQ(*tensor.data<int64_t>(), 2 * 2 * small.task->batches_per_epoch()) << name;
  }
}

}  // namespace
}  // namespace py4cast
