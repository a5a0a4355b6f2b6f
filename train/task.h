// The seam between the trainer and what is trained: weather forecasting first, others later.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "data/samples/split.h"
#include "engine/communicator.h"
#include "engine/context.h"
#include "engine/settings/json.h"
#include "train/picture.h"
#include "train/step_runner.h"

namespace py4cast {

class RunFolder;

// What an evaluation over a whole split gives.
struct Evaluation {
  double loss = 0;  // chooses the best checkpoint: lower is better
  std::vector<std::pair<std::string, double>> scalars;               // for the logs, by tag
  nlohmann::ordered_json scores = nlohmann::ordered_json::object();  // for scores.json
  // Of the first rank, for TensorBoard, made when they are asked for; null: none.
  std::function<std::vector<Picture>()> pictures = {};
};

// What the test at the end of a training gives.
struct TestReport {
  std::vector<std::pair<std::string, double>> scalars;               // for the logs, by tag
  nlohmann::ordered_json scores = nlohmann::ordered_json::object();  // scores.json
  std::string text;                                     // for the log; may have several lines
  std::function<std::vector<Picture>()> pictures = {};  // as of an evaluation
};

// A training problem: its data, its networks, and what the steps of it are. The trainer does the rest:
// tape, memory, gradients over ranks, optimisers, schedules, checkpoints, logs.
class Task : public BatchSource {
 public:
  // The moves of a round, always the same ones. An epoch repeats the round until its micro-batches are
  // used up, and the next one begins with the first move again. One move for forecasting; n of the
  // critic and one of the generator for a GAN.
  virtual std::vector<Move> round() = 0;
  // Number of training micro-batches in an epoch, of all ranks together.
  virtual int64_t batches_per_epoch() const = 0;
  // Samples in one of them: by these its loss is weighted in the mean over an epoch.
  virtual int64_t samples_of(int64_t /*batch*/) const { return 1; }
  // Positions this rank's training data at a micro-batch of an epoch: rank r takes the
  // micro-batches first_batch + r, first_batch + r + ranks, ... of each step.
  virtual void begin_epoch(int64_t epoch, int64_t first_batch) = 0;
  // Which samples the batch holds, for messages.
  virtual std::string describe_batch() const = 0;
  // After a loss of this move that is not finite: the first variable that is not, in words.
  virtual std::string first_non_finite(Context& context, const Move& move) = 0;

  // Runs over a whole split; every rank gets the same result, which does not depend on the number
  // of ranks.
  virtual Evaluation evaluate(Context context, Split split, Communicator& communicator) = 0;

  // What follows is for the programs; a task of a test needs none of it.

  // The folders of a run below its campaign: {data set, network}.
  virtual std::vector<std::string> folder_names() const { return {}; }
  // What a checkpoint must hold so that it can be told whether it fits other data. "input_features", if
  // it is there, names the features of the network's input in their order.
  virtual nlohmann::ordered_json checkpoint_record() const {
    return nlohmann::ordered_json::object();
  }
  // Error(configuration): the record of a checkpoint (`origin`, for the message) does not fit. Gives what may
  // be meant but should be known, in a sentence; empty: nothing.
  virtual std::string check(const nlohmann::ordered_json& record, const std::string& origin) const {
    return static_cast<void>(record), static_cast<void>(origin), "";
  }
  // The same of a run that goes on, and the data are those that the record was made with, wherever their
  // files lie now (TaskKind::free_keys).
  virtual void check_same_data(const nlohmann::ordered_json& record,
                               const std::string& origin) const {
    check(record, origin);
  }
  // Files of its own in the folder of a new run.
  virtual void write_files(const RunFolder&) const {}
  // One line for the log: "halfunet: 104192 parameters; 502 training samples".
  virtual std::string description() const { return {}; }
  // What --dry-run tells of the data; lines.
  virtual std::string summary() const { return {}; }
  // Whether there is a sample to be scored in it.
  virtual bool has_samples(Split) const { return true; }
  // Scores of a split, of the best weights. All ranks call it; rank 0's result counts.
  virtual TestReport test(const Context& context, Split split, Communicator& communicator) {
    const Evaluation evaluation = evaluate(context, split, communicator);
    return {evaluation.scalars,
            {{std::string(name_of(split)), evaluation.scores}},
            {},
            evaluation.pictures};
  }
};

}  // namespace py4cast
