// Trains a network for a task: the loop over epochs and steps.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/communicator.h"
#include "engine/gradient_buckets.h"
#include "engine/memory.h"
#include "engine/parameters.h"
#include "engine/step_graphs.h"
#include "train/schedule.h"
#include "train/task.h"

namespace py4cast {

struct TrainerSettings {
  int64_t seed = 42;
  int64_t epochs = 1;
  int64_t accumulate_batches = 1;   // micro-batches of one rank in an optimiser step
  int64_t limit_train_batches = 0;  // micro-batches of one rank in an epoch; 0: all
  int64_t val_interval = 1;         // epochs between validations
  double clip_norm = 0;             // 0: off
  double beta1 = 0.9, beta2 = 0.95, weight_decay = 0.01, epsilon = 1e-8;
  bool cuda_graph = true;  // on a GPU: capture and replay steps (engine/step_graphs.h)
  // Of the parts of the gradients that are summed over GPUs beside the backward pass. Half a
  // millisecond on InfiniBand (400 Gbit/s): much longer than starting a transfer takes, and short
  // beside a backward pass, at the end of which the last part is still to be sent.
  int64_t bucket_bytes = int64_t{16} << 20;
  int64_t profile_first = 0, profile_last = -1;  // optimiser steps for a profiler; count from 1
  Schedule schedule;                             // total_steps is set by the trainer
};

// Where a training stands; with the slabs, all that a resumed run needs.
struct Position {
  int64_t epoch = 0;
  int64_t batch = 0;  // micro-batches of this epoch that are done, of all ranks together
  int64_t step = 0;   // optimiser steps done
  double best = 0;    // lowest validation loss so far
  bool has_best = false;
  bool operator==(const Position&) const = default;
};

// What one optimiser step did.
struct StepReport {
  int64_t epoch = 0, step = 0;  // steps count from 1
  double loss = 0;              // mean over the step's micro-batches of all ranks
  double lr = 0;
  double gradient_norm = 0;  // before clipping
};

// What the trainer tells: all may be empty.
struct TrainerObserver {
  std::function<void(const StepReport&, int64_t steps_per_epoch)> on_step;
  std::function<void(int64_t epoch, double mean_loss)> on_epoch;
  // After a validation; `best`: it was the lowest so far.
  std::function<void(const Position&, const Evaluation&, bool best)> on_validation;
  // At the end of each epoch, after its validation: time to write a checkpoint.
  std::function<void(const Position&)> on_checkpoint;
};

// One optimiser step: for each micro-batch of this rank the loss, scaled by 1 / (micro-batches x
// ranks), goes backward and its parameter gradients are added to the gradient slab; the slabs of
// the ranks are added in rank order; gradients are clipped; AdamW makes one pass over the slab; the
// changes of running statistics are applied in the order of the micro-batches over all ranks. So P
// ranks equal one rank with P accumulated micro-batches, bit for bit. An epoch ends with a shorter
// step if the micro-batches do not divide, scaled as the others.
//
// On a GPU nothing of a step waits for the host, which reads what came of it one step late; the
// observers are told then. Whether a step may change anything is decided on the device. Where the
// communicator is asynchronous, the last backward pass of a step and the sums over ranks go on side
// by side (engine/gradient_buckets.h).
//
// Error(numeric): a loss that is not finite, with step, batch and first variable, or gradients that
// are not. Nothing is changed by that step nor by one that was started after it, and the position
// is that of its beginning.
class Trainer {
 public:
  // `context`: device, ledger, level; the trainer adds arena, tape and phase.
  Trainer(Context context, ParameterSlab& slab, Task& task, Communicator& communicator,
          const TrainerSettings& settings);
  ~Trainer();

  void fit(const TrainerObserver& observer);
  Evaluation evaluate(Split split);

  const Position& position() const { return position_; }
  void set_position(const Position& position) { position_ = position; }
  Tensor& first_moments() { return first_moments_; }
  Tensor& second_moments() { return second_moments_; }
  StepArena& arena() { return arena_; }
  const StepGraphs& graphs() const { return graphs_; }
  // Null where sums over ranks follow the backward pass, and before the first step.
  const GradientBuckets* buckets() const { return buckets_.get(); }
  int64_t steps_per_epoch() const;

  // The memory plan of the first training step, without running it.
  const StepPlan& plan();

 private:
  // A step that was started: where it began, and what it tells when it is done.
  struct Flight {
    Position position;
    int64_t micro_batches = 0;  // of all ranks
    double lr = 0;
    Tensor factors;       // [adamw_factor_count], read by the device
    Tensor losses, norm;  // [ranks, accumulate], [gradient_norm_count], written by the device
    std::unique_ptr<CudaEvent> done;  // on a GPU
  };
  int64_t micro_batches_per_epoch() const;  // of all ranks, after the limit
  // The plan of a micro-step with the current batch; that of the last one of a step records events.
  std::string key_of(bool last) const;
  bool overlaps() const { return communicator_.size() > 1 && communicator_.asynchronous(); }
  void prepare(bool last);  // memory of the steps, when the first one is known
  std::vector<int64_t> common_times();
  void train_epoch(const TrainerObserver& observer);
  void start_step(int64_t micro_batches, Flight& flight);
  StepReport finish_step(Flight& flight);
  void micro_step(double scale, bool last);
  void exchange();
  void optimiser_step(Flight& flight);
  void profile(int64_t step, bool begin);
  [[noreturn]] void refuse_non_finite(const Flight& flight, const std::vector<double>& losses);

  Context context_;
  ParameterSlab& slab_;
  Task& task_;
  Communicator& communicator_;
  TrainerSettings settings_;
  StepArena arena_;
  std::unique_ptr<GradientBuckets> buckets_;  // its events are in the graphs
  StepGraphs graphs_;
  Position position_;
  Tensor first_moments_, second_moments_;
  // A micro-step leaves a record: the loss and the batch statistics of `updates_` (known from the
  // first dry run). All in the memory of the device, at the same addresses in each step.
  std::vector<BufferUpdate> updates_;
  // By key: the parameters in the order in which the backward pass hands over their gradients.
  std::map<std::string, std::vector<const Parameter*>> orders_;
  Tensor record_;          // [record]
  Tensor own_records_;     // [accumulate, record]
  Tensor all_records_;     // [ranks, accumulate, record]
  Tensor losses_;          // [ranks, accumulate]
  Tensor factors_, norm_;  // of the optimiser
  std::array<Flight, 2> flights_;
};

}  // namespace py4cast
