// What a run leaves behind while it trains.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/configuration.h"
#include "train/progress.h"
#include "train/run_folder.h"
#include "train/speed.h"
#include "train/tensorboard.h"
#include "train/trainer.h"

namespace py4cast {

// Log, metrics.jsonl, speed.jsonl, TensorBoard, checkpoints and the progress line. Of ranks but the first, or without a folder, only
// the log. What it is given must outlive it.
class Records {
 public:
  struct Run {
    const Configuration& configuration;
    const std::string fingerprint;  // continuation_fingerprint
    Task& task;
    Trainer& trainer;
    RunFolder* folder;  // null: none
    bool resumed;
    bool root;  // the first rank
  };
  Records(Run run, Speed speed, Logger& log);

  // What the trainer tells.
  TrainerObserver observer();
  // A checkpoint of this name.
  void save(const std::string& name, const Position& position);
  // For TensorBoard.
  void scalars(const std::vector<std::pair<std::string, double>>& values, int64_t at);
  void pictures(const std::function<std::vector<Picture>()>& make, int64_t at);

 private:
  void on_board(const std::function<void(TensorBoard&)>& tell);
  void begin_epoch();
  void epoch(int64_t number, double loss);
  std::string tag(const StepReport& report, const char* name) const;
  void step(const StepReport& report, int64_t number);
  void validation(const Position& position, const Evaluation& evaluation, bool best);

  const Run run_;
  Speed speed_;
  Logger& log_;
  double epoch_loss_ = 0;
  std::optional<TensorBoard> board_;
  std::optional<Progress> progress_;  // of the epoch under way
  int64_t before_epoch_ = 0;          // steps
};

}  // namespace py4cast
