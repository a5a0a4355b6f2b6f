#include "train/programs/records.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace py4cast {

Records::Records(Run run, Speed speed, Logger& log)
    : run_(std::move(run)), speed_(std::move(speed)), log_(log) {
  const Configuration& configuration = run_.configuration;
  if (!run_.root || !run_.folder || !configuration.run.tensorboard) return;
  try {
    board_.emplace(run_.folder->file("tensorboard"),
                   run_.resumed ? std::optional(run_.trainer.position().step + 1) : std::nullopt);
  } catch (const Error& error) {
    log_.warning(error.what(), "; TensorBoard is told no more");
  }
  if (!run_.resumed)
    on_board([&](TensorBoard& board) {
      board.text("configuration", "```json\n" + configuration.document.dump(2) + "\n```", 0);
    });
}

TrainerObserver Records::observer() {
  TrainerObserver observer;
  observer.on_step = [this](const StepReport& report, int64_t number) { step(report, number); };
  observer.on_epoch = [this](int64_t number, double loss) { epoch(number, loss); };
  observer.on_validation = [this](const Position& position, const Evaluation& evaluation,
                                  bool best) {
    if (run_.root) validation(position, evaluation, best);
    if (best) save("best", position);
  };
  observer.on_checkpoint = [this](const Position& position) {
    save("last", position);
    if (position.batch == 0) begin_epoch();
  };
  begin_epoch();
  return observer;
}

void Records::save(const std::string& name, const Position& position) {
  if (!run_.folder || !run_.root) return;
  CheckpointState state;
  state.epoch = position.epoch;
  state.batch = position.batch;
  state.step = position.step;
  state.epoch_loss = position.epoch_loss;
  state.seed = run_.configuration.seed;
  if (position.has_best) state.best = position.best;
  state.without_best = position.without_best;
  state.configuration_hash = run_.fingerprint;
  state.extra = run_.task.checkpoint_record();
  run_.folder->save(name, run_.trainer.learners(), state);
}

void Records::scalars(const std::vector<std::pair<std::string, double>>& values, int64_t at) {
  on_board([&](TensorBoard& board) {
    for (const auto& [tag, value] : values) board.scalar(tag, value, at);
  });
}

void Records::pictures(const std::function<std::vector<Picture>()>& make, int64_t at) {
  if (make)
    on_board([&](TensorBoard& board) {
      for (const Picture& picture : make()) board.picture(picture, at);
    });
}

// TensorBoard shows what stands elsewhere, too: its files are no reason to end a training.
void Records::on_board(const std::function<void(TensorBoard&)>& tell) {
  if (!board_) return;
  try {
    tell(*board_);
  } catch (const Error& error) {
    log_.warning(error.what(), "; TensorBoard is told no more");
    board_.reset();
  }
}

void Records::begin_epoch() {
  const Trainer& trainer = run_.trainer;
  before_epoch_ = trainer.position().step - trainer.steps_of_epoch_done();
  progress_.emplace(log_, "epoch " + std::to_string(trainer.position().epoch + 1),
                    trainer.steps_per_epoch(), trainer.steps_of_epoch_done());
  speed_.begin_epoch();
}

void Records::epoch(int64_t number, double loss) {
  epoch_loss_ = loss;
  progress_.reset();
  const nlohmann::ordered_json speed = speed_.report(number + 1);
  if (run_.folder && speed["steps"] > 0) run_.folder->append_json("speed.jsonl", speed);
  std::vector<std::pair<std::string, double>> told = {{"train_loss_epoch", loss}};
  for (const char* name : {"steps_per_second", "share_of_ceiling"})
    if (speed.contains(name)) told.push_back({name, speed[name]});
  scalars(told, run_.trainer.position().step);
}

// Tags of several learners begin with the move's name.
std::string Records::tag(const StepReport& report, const char* name) const {
  return run_.trainer.learners().size() > 1 ? report.move + "_" + name : name;
}

void Records::step(const StepReport& report, int64_t number) {
  if (!run_.root) return;
  const std::string loss = tag(report, "train_loss"), lr = tag(report, "lr");
  if (run_.folder)
    run_.folder->append_metrics({{"step", number},
                                 {"epoch", report.place.epoch + 1},
                                 {loss, report.loss},
                                 {lr, report.lr}});
  scalars({{loss + "_step", report.loss}, {lr, report.lr}}, number);
  speed_.add(report);
  if (progress_) progress_->update(number - before_epoch_, report.loss, speed_.floor());
}

void Records::validation(const Position& position, const Evaluation& evaluation, bool best) {
  Json line = {{"step", position.step}, {"epoch", position.epoch}};
  for (const auto& [tag, value] : evaluation.scalars) line[tag] = value;
  if (run_.folder) run_.folder->append_metrics(line);
  scalars(evaluation.scalars, position.step);
  if (best) pictures(evaluation.pictures, position.step);
  log_.info("epoch ", position.epoch, " of ", run_.configuration.training.epochs,
            ": training loss ", epoch_loss_, ", validation loss ", evaluation.loss,
            best ? ", best" : "");
  if (!std::isfinite(evaluation.loss))
    log_.warning("the validation loss is not finite: these weights are never the best");
}

}  // namespace py4cast
