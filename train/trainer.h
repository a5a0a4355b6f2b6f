// Trains the networks of a task: the loop over epochs, rounds and steps.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "train/step_runner.h"
#include "train/task.h"

namespace py4cast {

struct TrainerSettings {
  StepSettings step;
  int64_t epochs = 1;
  int64_t limit_train_batches = 0;  // micro-batches of one rank in an epoch; 0: all
  int64_t val_interval = 1;         // epochs between validations
  int64_t patience =
      0;  // validations in a row without a new lowest loss after which fit ends; 0: any
  int64_t profile_first = 0, profile_last = -1;  // optimiser steps for a profiler; count from 1
  // Asked on each rank before each step; what one rank wants all do, after the same step: that one, or
  // on a GPU the next. Null: never. `step` counts from 1.
  std::function<bool()> stop = {};
  std::function<bool(int64_t step)> checkpoint = {};
};

// Where a training stands; with the slabs and the steps of the learners, all that a resumed run needs.
struct Position {
  int64_t epoch = 0;
  int64_t batch = 0;      // micro-batches of this epoch that are done, of all ranks together
  int64_t step = 0;       // optimiser steps done, of all learners
  double epoch_loss = 0;  // sum over this epoch's samples that are done
  double best = 0;        // lowest validation loss so far; finite
  bool has_best = false;
  int64_t without_best = 0;  // validations since the lowest loss
  bool operator==(const Position&) const = default;
};

// What the trainer tells: all may be empty.
struct TrainerObserver {
  // After each optimiser step; `step` counts from 1 over all learners.
  std::function<void(const StepReport&, int64_t step)> on_step;
  std::function<void(int64_t epoch, double mean_loss)> on_epoch;
  // After a validation; `best`: it was the lowest so far, and finite.
  std::function<void(const Position&, const Evaluation&, bool best)> on_validation;
  // Time to write a checkpoint: at the end of each epoch, after its validation; where
  // TrainerSettings::checkpoint asked for one; when the training is stopped.
  std::function<void(const Position&)> on_checkpoint;
};

// Tells each of them, in their order.
TrainerObserver all_of(std::vector<TrainerObserver> observers);

// An epoch is a sequence of steps (train/step_runner.h): the moves of the task's round, again and again,
// each with micro_batches x ranks of the epoch's micro-batches, the last one with what is left. On a GPU
// the observers are told of a step when the next one was started.
//
// Error(numeric): a loss that is not finite, with step, batch and first variable, or gradients that
// are not. Nothing is changed by that step nor by one that was started after it, and the position
// is that of its beginning. And at the end, if no validation had a finite loss.
class Trainer {
 public:
  Trainer(const Context& context, Task& task, Communicator& communicator,
          const TrainerSettings& settings);

  // False: it was stopped (TrainerSettings::stop); the position says where, inside of an epoch or at
  // its end, before or after its validation. All ranks stop there. True: its epochs are done, or its patience is.
  bool fit(const TrainerObserver& observer);
  Evaluation evaluate(Split split);
  TestReport test();

  const Position& position() const { return position_; }
  // With the steps of the learners already set. Error(data): this training is never there; names
  // `origin`.
  void set_position(const Position& position, const std::string& origin = "the position");
  // Each once, in the order of the round.
  const std::vector<Optimizer*>& learners() const { return learners_; }
  const StepRunner& runner() const { return runner_; }
  int64_t steps_per_epoch() const { return static_cast<int64_t>(epoch_.size()); }
  // The steps of the position's epoch that are done.
  int64_t steps_of_epoch_done() const;

  // Plans the memory of the first step of each move, without running it; the largest plan.
  const StepPlan& plan();

 private:
  // A step of an epoch.
  struct Step {
    size_t move;    // in the round
    int64_t batch;  // first micro-batch
    int64_t micro_batches;
  };
  std::vector<Step> steps_of_epoch() const;
  bool ended() const;
  bool train_epoch(const TrainerObserver& observer);  // false: stopped
  void validate(const TrainerObserver& observer);
  int64_t wish() const;
  StepReport finish_step();
  void profile(int64_t step, bool begin);
  [[noreturn]] void refuse_non_finite(const StepReport& report);

  Task& task_;
  Communicator& communicator_;
  TrainerSettings settings_;
  std::vector<Move> round_;
  std::vector<Optimizer*> learners_;
  std::vector<Step> epoch_;  // the steps of every epoch
  StepRunner runner_;
  Position position_;
};

}  // namespace py4cast
