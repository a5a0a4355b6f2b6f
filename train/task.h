// The seam between the trainer and what is trained: weather forecasting first, others later.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/weather/dataset_settings.h"
#include "engine/communicator.h"
#include "engine/context.h"
#include "engine/settings/json.h"

namespace py4cast {

// What an evaluation over a whole split gives.
struct Evaluation {
  double loss = 0;  // chooses the best checkpoint: lower is better
  std::vector<std::pair<std::string, double>> scalars;  // for the logs, by tag
  Json scores = Json::object();                         // for scores.json
};

// A training problem: its data, its network, and what one step of it is. The trainer does the rest:
// tape, memory, gradients over ranks, optimiser, schedule, checkpoints, logs.
class Task {
 public:
  virtual ~Task() = default;

  // Number of training micro-batches in an epoch, of all ranks together.
  virtual int64_t batches_per_epoch() const = 0;
  // Positions this rank's training data at a micro-batch of an epoch: rank r takes the
  // micro-batches r, r + ranks, ...
  virtual void begin_epoch(int64_t epoch, int64_t first_batch) = 0;
  // Loads the next one; false if this rank has none left.
  virtual bool next_batch() = 0;
  // Equal keys mean equal shapes: the name of the memory plan.
  virtual std::string batch_key() const = 0;
  // Which samples the batch holds, for messages.
  virtual std::string describe_batch() const = 0;

  // The loss of the current batch, [] f32 (or the network's type), recorded on the context's tape.
  virtual Tensor loss(Context& context) = 0;
  // After a loss that is not finite: the first variable that is not, in words.
  virtual std::string first_non_finite(Context& context) = 0;

  // Runs over a whole split; every rank gets the same result, which does not depend on the number
  // of ranks.
  virtual Evaluation evaluate(Context context, Split split, Communicator& communicator) = 0;
};

}  // namespace py4cast
