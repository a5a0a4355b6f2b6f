// Trainings that are stopped, or saved, inside of an epoch and go on; and what is the best of them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "engine/runtime.h"
#include "tests/devices.h"
#include "tests/train/chain_task.h"
#include "train/checkpoint.h"

namespace py4cast {
namespace {

// 3 epochs of 4 steps: 2 micro-batches each, and 1 at the end.
constexpr int64_t steps_per_epoch = 4, all_steps = 12;

struct Losses : ChainTask {
  using ChainTask::ChainTask;
  std::vector<double> validation;
  size_t next = 0;
  Evaluation evaluate(Context, Split, Communicator&) override {
    return {.loss = validation.empty() ? 0 : validation.at(next++)};
  }
};

struct Training {
  explicit Training(const Way& way, const TrainerSettings& asked = {})
      : runtime(way.device), task(runtime.context(), 7, 2, 0, 1) {
    TrainerSettings settings = asked;
    settings.epochs = 3;
    settings.step.cuda_graph = way.cuda_graph;
    trainer.emplace(runtime.context(), task, runtime.communicator(), settings);
    observer.on_step = [this](const StepReport& report, int64_t step) {
      losses[step] = report.losses;
    };
    observer.on_epoch = [this](int64_t epoch, double mean) { means[epoch] = mean; };
  }
  // Goes on where another one was saved.
  Training(const Way& way, const std::string& folder, const Position& position) : Training(way) {
    load_checkpoint(folder, trainer->learners());
    trainer->set_position(position);
  }
  std::string state() const { return state_of(*trainer); }

  Runtime runtime;
  Losses task;
  std::optional<Trainer> trainer;
  TrainerObserver observer;
  std::map<int64_t, std::vector<double>> losses;  // by step
  std::map<int64_t, double> means;                // by epoch
};

class Stops : public ::testing::TestWithParam<Way> {
 protected:
  std::string folder() const {
    return testing::TempDir() + "stops_" + GetParam().device +
           (GetParam().cuda_graph ? "_captured" : "");
  }
  // From the checkpoint to the end as without a break.
  void expect_rest_of(const Training& whole, const Position& position) const {
    Training rest(GetParam(), folder(), position);
    EXPECT_TRUE(rest.trainer->fit(rest.observer));
    EXPECT_TRUE(rest.state() == whole.state()) << position.step;
    for (const auto& [step, losses] : rest.losses) EXPECT_EQ(losses, whole.losses.at(step)) << step;
    for (const auto& [epoch, mean] : rest.means) EXPECT_EQ(mean, whole.means.at(epoch)) << epoch;
    EXPECT_EQ(static_cast<int64_t>(rest.losses.size()), all_steps - position.step);
    EXPECT_EQ(static_cast<int64_t>(rest.means.size()), 3 - position.epoch);
  }
};
INSTANTIATE_TEST_SUITE_P(Ways, Stops, ::testing::ValuesIn(ways()), [](const auto& test) {
  return test.param.device + (test.param.cuda_graph ? "_captured" : "_plain");
});

TEST_P(Stops, AfterTheStepInWhichItIsAskedAndGoesOnBitForBit) {
  Training whole(GetParam());
  EXPECT_TRUE(whole.trainer->fit(whole.observer));
  for (int64_t at = 1; at <= all_steps; ++at) {
    int64_t asked = 0;
    Training cut(GetParam(), {.stop = [&] { return ++asked >= at; }});
    Position saved;
    cut.observer.on_checkpoint = [&](const Position& position) { saved = position; };
    EXPECT_FALSE(cut.trainer->fit(cut.observer)) << at;
    const Position position = cut.trainer->position();
    EXPECT_EQ(saved, position);
    // On a GPU the next step is under way when the first one tells. At the end of each epoch it is
    // asked once more.
    const int64_t expected = at - at / (steps_per_epoch + 1);
    EXPECT_GE(position.step, expected) << at;
    EXPECT_LE(position.step, expected + 1) << at;
    EXPECT_EQ(static_cast<int64_t>(cut.losses.size()), position.step);
    save_checkpoint(folder(), cut.trainer->learners(), {});
    expect_rest_of(whole, position);
  }
}

TEST_P(Stops, CheckpointsInsideOfAnEpochGoOnBitForBit) {
  Training whole(GetParam());
  whole.trainer->fit(whole.observer);
  Training training(GetParam(), {.checkpoint = [](int64_t step) { return step % 3 == 0; }});
  int64_t inside = 0;
  training.observer.on_checkpoint = [&](const Position& position) {
    EXPECT_EQ(static_cast<int64_t>(training.losses.size()), position.step);
    inside += position.batch > 0;
    save_checkpoint(folder(), training.trainer->learners(), {});
    expect_rest_of(whole, position);
  };
  EXPECT_TRUE(training.trainer->fit(training.observer));
  EXPECT_TRUE(training.state() == whole.state());
  // On a GPU the last step's wish is known when its epoch is over.
  EXPECT_EQ(inside, GetParam().device == "cpu" ? 4 : 3);
}

TEST(Best, IsTheLowestLossSoFar) {
  Training training({"cpu", false});
  training.task.validation = {3, 1, 2};
  std::vector<bool> best;
  training.observer.on_validation = [&](const Position&, const Evaluation&, bool is_best) {
    best.push_back(is_best);
  };
  training.trainer->fit(training.observer);
  EXPECT_EQ(best, (std::vector<bool>{true, true, false}));
  EXPECT_EQ(training.trainer->position().best, 1);
}

TEST(Best, IsNeverALossThatIsNotFinite) {
  const double nan = std::nan(""), infinite = std::numeric_limits<double>::infinity();
  Training training({"cpu", false});
  training.task.validation = {nan, 2, -infinite};
  std::vector<bool> best;
  training.observer.on_validation = [&](const Position&, const Evaluation&, bool is_best) {
    best.push_back(is_best);
  };
  EXPECT_TRUE(training.trainer->fit(training.observer));
  EXPECT_EQ(best, (std::vector<bool>{false, true, false}));
  EXPECT_EQ(training.trainer->position().best, 2);
}

TEST(Best, ATrainingWithoutOneEndsWithAnError) {
  Training training({"cpu", false});
  training.task.validation = std::vector<double>(3, std::nan(""));
  int64_t saved = 0;
  training.observer.on_checkpoint = [&](const Position& position) { saved = position.epoch; };
  try {
    training.trainer->fit(training.observer);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numeric);
    EXPECT_EQ(std::string(error.what()).substr(0, 36), "no validation had a finite loss, so ");
  }
  EXPECT_EQ(saved, 3);
}

TEST(Positions, ThoseThatATrainingNeverReachesAreRefused) {
  Training training({"cpu", false});
  Optimizer& learner = *training.trainer->learners()[0];
  const auto refusal = [&](const Position& position, int64_t own) -> std::string {
    learner.set_steps_done(own);
    try {
      training.trainer->set_position(position, "last");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
    return "accepted";
  };
  const std::string end = "; no training of this configuration is ever there";
  EXPECT_EQ(refusal({.epoch = 1, .batch = 4, .step = 6}, 6), "accepted");
  EXPECT_EQ(refusal({.epoch = 1, .batch = 7, .step = 8}, 8), "accepted");
  EXPECT_EQ(refusal({.epoch = 3, .step = 12}, 12), "accepted");
  EXPECT_EQ(refusal({.epoch = 4, .step = 16}, 16), "last: epoch 4 of 3" + end);
  EXPECT_EQ(refusal({.batch = 3, .step = 1}, 1),
            "last: batch 3 of an epoch of 7, where no step begins" + end);
  EXPECT_EQ(refusal({.batch = 9, .step = 4}, 4),
            "last: batch 9 of an epoch of 7, where no step begins" + end);
  EXPECT_EQ(refusal({.epoch = 3, .batch = 2, .step = 13}, 13),
            "last: batch 2 after the last epoch" + end);
  EXPECT_EQ(refusal({.epoch = 1, .step = 5}, 4), "last: step 5 where it is step 4" + end);
  EXPECT_EQ(refusal({.epoch = 1, .step = 4}, 5),
            "last: 5 steps of 'chain' where it has done 4" + end);
  EXPECT_EQ(refusal({.epoch_loss = std::nan("")}, 0), "last: a loss that is not finite" + end);
}

}  // namespace
}  // namespace py4cast
