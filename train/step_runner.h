// One optimiser step of a learner, from micro-batches to parameters.
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
#include "engine/step_graphs.h"
#include "engine/step_parts.h"
#include "engine/work_counter.h"
#include "train/optimizer.h"

namespace py4cast {

// One kind of step: what a learner does with its micro-batches.
struct Move {
  std::string
      name;  // "critic": names the plan of its memory, its captured steps and its random numbers
  Optimizer* learner = nullptr;
  int64_t micro_batches = 1;  // of one rank; their losses are averaged
  // The loss of the current micro-batch, [] of the slab's type, recorded on the context's tape. Only
  // parameters of the learner's slab get gradients: other networks are constants.
  std::function<Tensor(Context&)> loss;
};

// The micro-batches of this rank, one after the other.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Loads the next one; false if this rank has none left.
  virtual bool next_batch() = 0;
  // Equal keys mean equal shapes: part of the name of the memory plan.
  virtual std::string batch_key() const = 0;
};

struct StepSettings {
  int64_t seed = 42;
  // What depends on parameters alone is computed once for all micro-batches of a step
  // (layers/shared_values.h). P ranks then equal one rank with P micro-batches up to rounding only.
  bool shared_values = false;
  bool cuda_graph = true;  // on a GPU: capture and replay steps (engine/step_graphs.h)
  // Of the parts of the gradients that are summed over GPUs beside the backward pass. Half a
  // millisecond on InfiniBand (400 Gbit/s): much longer than starting a transfer takes, and short
  // beside a backward pass, at the end of which the last part is still to be sent.
  int64_t bucket_bytes = int64_t{16} << 20;
  // Called where this rank has done its part of a step and the ranks add theirs up. Null: nobody.
  std::function<void()> arrived = {};
  // Adds up how long the parts of the steps take: for benchmarks, since the host then waits for the device
  // after each part and nothing is captured. Null: not asked for.
  StepSeconds* seconds = nullptr;
};

// Where in a training a step lies.
struct StepPlace {
  int64_t epoch = 0;
  int64_t batch = 0;          // its first micro-batch in the epoch, of all ranks together
  int64_t micro_batches = 1;  // of all ranks, at most the move's x ranks
};

// What one step did.
struct StepReport {
  std::string move;
  StepPlace place;
  double loss = 0;             // mean over the micro-batches of all ranks
  std::vector<double> losses;  // by micro-batch
  double lr = 0;
  double gradient_norm = 0;  // before clipping
  bool finite = true;        // else nothing was changed by this step, nor will be by later ones
  int64_t wish = 0;          // the largest of the ranks' wishes
  Work work;                 // of this rank
};

// Runs steps one after the other on one stream (the context's). For each micro-batch of this rank the
// loss, scaled by 1 / (micro-batches x ranks), goes backward and its gradients are added to the
// learner's gradient slab; the slabs of the ranks are added in rank order; the optimiser makes one
// pass over the slab; the changes of running statistics are applied in the order of the micro-batches
// over all ranks. So P ranks equal one rank with P accumulated micro-batches, bit for bit. A step with
// fewer micro-batches than its move has (the end of an epoch) is scaled as the others.
//
// On a GPU `start` waits for nothing; `finish` waits for the oldest step that was started and tells
// what came of it. Up to two steps of a move may be under way, so a training reads its results one
// step late, and several runners, a stream each, work side by side. Whether a step may change anything
// is decided on the device. Where the communicator is asynchronous, the last backward pass of a step
// and the sums over ranks go on side by side (engine/gradient_buckets.h).
class StepRunner {
 public:
  // `context`: device, ledger, level, stream; the runner adds arena, tape, phase, random numbers.
  StepRunner(Context context, Communicator& communicator, const StepSettings& settings);
  ~StepRunner();
  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;

  // Takes this rank's micro-batches r, r + ranks, ... of the step from `batches`. `wish`: a small number,
  // from 0, of this rank; it travels with the losses, so that all ranks learn of it at the same step.
  // Error(data): a rank has none in its first step of this kind.
  void start(const Move& move, BatchSource& batches, const StepPlace& place, int64_t wish = 0);
  // In the order of the starts. Error(internal): nothing is under way.
  StepReport finish();
  bool under_way() const { return !flights_.empty(); }
  // After a step that was not finite, when all are finished: later ones may change things again.
  void clear();

  // The memory plan of a step of this move with the current batch, the largest one of its micro-batches,
  // without running it.
  const StepPlan& plan(const Move& move, const BatchSource& batches);
  size_t shared_bytes() const;  // of values that are kept for the micro-batches of a step
  StepArena& arena() { return arena_; }
  const Context& context() const { return context_; }
  const StepGraphs& graphs() const { return graphs_; }
  // Null where sums over ranks follow the backward pass, and before the move's first step.
  const GradientBuckets* buckets(const std::string& move) const;

 private:
  struct Kind;    // what is kept for the steps of one move
  struct Flight;  // a step that was started: what it tells when it is done
  bool on_gpu() const { return context_.device.kind != DeviceKind::cpu; }
  bool overlaps() const { return communicator_.size() > 1 && communicator_.asynchronous(); }
  Kind& kind_of(const Move& move);
  struct Turn {  // of a micro-batch of this rank in its step
    bool first, last;
  };
  bool shares(Turn turn) const { return settings_.shared_values && !(turn.first && turn.last); }
  // The plan of a micro-step with the current batch; that of the last one of a step records events.
  std::string key_of(const Move& move, const BatchSource& batches, Turn turn) const;
  void micro_step(Kind& kind, const std::string& key, double scale, Turn turn);
  // What stays in memory for the steps of a kind, when the first one is known.
  void prepare(Kind& kind);
  std::vector<int64_t> common_times(const Kind& kind);
  void next_batch(BatchSource& batches);
  void exchange(Kind& kind);
  void optimiser_step(Kind& kind, Flight& flight);

  Context context_;
  Communicator& communicator_;
  StepSettings settings_;
  StepArena arena_;
  std::map<std::string, std::unique_ptr<Kind>> kinds_;  // by name; their events are in the graphs
  StepGraphs graphs_;
  Tensor norm_;                   // of the optimisers; says for all moves whether all was finite
  Tensor counter_;                // [1] i64: Context::random_counter
  std::vector<Flight*> flights_;  // under way, oldest first
};

}  // namespace py4cast
