#include "train/trainer.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <memory>

#include "engine/cuda.h"

namespace py4cast {
namespace {

// What ranks may want to follow a step; the larger one is done.
constexpr int64_t wish_checkpoint = 1, wish_stop = 2;

}  // namespace

TrainerObserver all_of(std::vector<TrainerObserver> observers) {
  const auto all = std::make_shared<const std::vector<TrainerObserver>>(std::move(observers));
  // Calls that member of each, where there is one.
  const auto tell = [all](auto member) {
    return [all, member](const auto&... what) {
      for (const TrainerObserver& each : *all)
        if (each.*member) (each.*member)(what...);
    };
  };
  return {.on_step = tell(&TrainerObserver::on_step),
          .on_epoch = tell(&TrainerObserver::on_epoch),
          .on_validation = tell(&TrainerObserver::on_validation),
          .on_checkpoint = tell(&TrainerObserver::on_checkpoint)};
}

Trainer::Trainer(const Context& context, Task& task, Communicator& communicator,
                 const TrainerSettings& settings)
    : task_(task),
      communicator_(communicator),
      settings_(settings),
      round_(task.round()),
      epoch_(steps_of_epoch()),
      runner_(context, communicator, settings.step) {
  for (const Move& move : round_) {
    if (std::count(learners_.begin(), learners_.end(), move.learner)) continue;
    learners_.push_back(move.learner);
    const auto own = std::count_if(epoch_.begin(), epoch_.end(), [&](const Step& step) {
      return round_[step.move].learner == move.learner;
    });
    move.learner->set_total_steps(settings_.epochs * own);
  }
}

std::vector<Trainer::Step> Trainer::steps_of_epoch() const {
  const int64_t all = task_.batches_per_epoch(), ranks = communicator_.size();
  const int64_t limit = settings_.limit_train_batches;
  const int64_t total = limit ? std::min(all, std::min(limit, all) * ranks) : all;
  std::vector<Step> steps;
  for (int64_t batch = 0; batch < total; batch += steps.back().micro_batches) {
    const size_t move = steps.size() % round_.size();
    if (round_[move].micro_batches < 1)
      throw Error(ErrorKind::internal, "move '", round_[move].name, "' takes no micro-batch");
    steps.push_back({move, batch, std::min(round_[move].micro_batches * ranks, total - batch)});
  }
  return steps;
}

const StepPlan& Trainer::plan() {
  task_.begin_epoch(0, 0);
  if (!task_.next_batch()) throw Error(ErrorKind::data, "this rank has no training batch");
  const StepPlan* largest = nullptr;
  for (const Move& move : round_) {
    const StepPlan& plan = runner_.plan(move, task_);
    if (!largest || plan.bytes > largest->bytes) largest = &plan;
  }
  assert(largest);  // a round has moves
  return *largest;
}

StepReport Trainer::finish_step() {
  StepReport report = runner_.finish();
  if (!report.finite) refuse_non_finite(report);
  return report;
}

// All ranks have seen the same losses; the one whose batch it was loads it again and says what is
// wrong with it. First the step ends that was started meanwhile: it changes nothing, but the ranks
// exchange in it.
void Trainer::refuse_non_finite(const StepReport& report) {
  const auto undo = [&](const StepReport& step) {
    for (const Move& move : round_)
      if (move.name == step.move) {
        move.learner->set_steps_done(move.learner->steps_done() - 1);
        break;
      }
    --position_.step;
  };
  undo(report);
  while (runner_.under_way()) undo(runner_.finish());
  const Context& device = runner_.context();
  if (device.device.kind != DeviceKind::cpu) synchronize(device.device);
  position_.epoch = report.place.epoch;
  position_.batch = report.place.batch;
  const std::vector<double>& losses = report.losses;
  const auto bad =
      std::find_if(losses.begin(), losses.end(), [](double loss) { return !std::isfinite(loss); });
  const std::string step = (round_.size() > 1 ? report.move + ", step " : "step ") +
                           std::to_string(position_.step + 1) + " (epoch " +
                           std::to_string(position_.epoch + 1) + ")";
  constexpr const char* unchanged = "; nothing was changed by this step";
  if (bad == losses.end())
    throw Error(ErrorKind::numeric, step,
                ": the losses are finite but the gradients are not; a lower learning rate may help",
                unchanged);
  const int64_t index = bad - losses.begin(), ranks = communicator_.size();
  std::string text;
  if (communicator_.rank() == index % ranks) {
    Context context = device;
    context.arena = nullptr;
    task_.begin_epoch(position_.epoch, position_.batch);
    for (int64_t own = 0; own <= index / ranks; ++own) task_.next_batch();
    const auto move = std::find_if(round_.begin(), round_.end(),
                                   [&](const Move& m) { return m.name == report.move; });
    text = task_.describe_batch() + "; " + task_.first_non_finite(context, *move);
  }
  text = communicator_.broadcast(std::move(text), static_cast<int>(index % ranks));
  throw Error(ErrorKind::numeric, step, ": the loss is ", std::isnan(*bad) ? NAN : *bad, " for ",
              text, unchanged);
}

int64_t Trainer::steps_of_epoch_done() const {
  return std::count_if(epoch_.begin(), epoch_.end(),
                       [&](const Step& step) { return step.batch < position_.batch; });
}

void Trainer::set_position(const Position& position, const std::string& origin) {
  const auto refuse = [&](const auto&... parts) {
    throw Error(ErrorKind::data, origin, ": ", parts...,
                "; no training of this configuration is ever there");
  };
  const int64_t batches = epoch_.empty() ? 0 : epoch_.back().batch + epoch_.back().micro_batches;
  if (position.epoch < 0 || position.epoch > settings_.epochs)
    refuse("epoch ", position.epoch, " of ", settings_.epochs);
  if (position.batch != batches &&
      std::none_of(epoch_.begin(), epoch_.end(),
                   [&](const Step& step) { return step.batch == position.batch; }))
    refuse("batch ", position.batch, " of an epoch of ", batches, ", where no step begins");
  if (position.epoch == settings_.epochs && position.batch > 0)
    refuse("batch ", position.batch, " after the last epoch");
  if (!std::isfinite(position.epoch_loss) || (position.has_best && !std::isfinite(position.best)))
    refuse("a loss that is not finite");
  const auto steps = [&](const auto& counts) {
    const auto done = [&](const Step& step) { return counts(step) && step.batch < position.batch; };
    return position.epoch * std::count_if(epoch_.begin(), epoch_.end(), counts) +
           std::count_if(epoch_.begin(), epoch_.end(), done);
  };
  const int64_t all = steps([](const Step&) { return true; });
  if (position.step != all) refuse("step ", position.step, " where it is step ", all);
  for (const Optimizer* learner : learners_) {
    const int64_t own =
        steps([&](const Step& step) { return round_[step.move].learner == learner; });
    if (learner->steps_done() != own)
      refuse(learner->steps_done(), " steps of '", learner->name(), "' where it has done ", own);
  }
  position_ = position;
}

// Tells a profiler where the asked steps begin and end.
void Trainer::profile(int64_t step, bool begin) {
  const Device device = runner_.context().device;
  if (device.kind == DeviceKind::cpu ||
      step != (begin ? settings_.profile_first : settings_.profile_last))
    return;
  synchronize(device);
  if (begin)
    start_profiler();
  else
    stop_profiler();
}

// What this rank wants to follow the next step.
int64_t Trainer::wish() const {
  if (settings_.stop && settings_.stop()) return wish_stop;
  return settings_.checkpoint && settings_.checkpoint(position_.step + 1) ? wish_checkpoint : 0;
}

bool Trainer::train_epoch(const TrainerObserver& observer) {
  task_.begin_epoch(position_.epoch, position_.batch);
  int64_t told = position_.step, wished = 0;
  const auto finish = [&] {
    const StepReport report = finish_step();
    for (size_t i = 0; i < report.losses.size(); ++i)
      position_.epoch_loss +=
          report.losses[i] *
          static_cast<double>(task_.samples_of(report.place.batch + static_cast<int64_t>(i)));
    wished = std::max(wished, report.wish);
    ++told;
    if (observer.on_step) observer.on_step(report, told);
  };
  const Context& context = runner_.context();
  const bool late = context.device.kind != DeviceKind::cpu;
  for (const Step& step : epoch_) {
    if (step.batch < position_.batch) continue;  // done before the run was resumed
    if (wished == wish_stop) break;
    const bool before = runner_.under_way();
    context.ledger->begin_step(position_.step);
    profile(position_.step + 1, true);
    runner_.start(round_[step.move], task_, {position_.epoch, step.batch, step.micro_batches},
                  wish());
    position_.batch += step.micro_batches;
    ++position_.step;
    profile(position_.step, false);
    if (before || !late) finish();
    if (wished != wish_checkpoint) continue;
    while (runner_.under_way()) finish();
    if (wished == wish_stop) break;
    if (observer.on_checkpoint) observer.on_checkpoint(position_);
    wished = 0;
  }
  while (runner_.under_way()) finish();
  if (wished == wish_stop) return false;
  int64_t samples = 0;
  for (const Step& step : epoch_)
    for (int64_t i = 0; i < step.micro_batches; ++i) samples += task_.samples_of(step.batch + i);
  if (observer.on_epoch && samples > 0)
    observer.on_epoch(position_.epoch, position_.epoch_loss / static_cast<double>(samples));
  return true;
}

void Trainer::validate(const TrainerObserver& observer) {
  const Evaluation evaluation = evaluate(Split::valid);
  const bool best =
      std::isfinite(evaluation.loss) && (!position_.has_best || evaluation.loss < position_.best);
  ++position_.without_best;
  if (best) {
    position_.best = evaluation.loss;
    position_.has_best = true;
    position_.without_best = 0;
  }
  if (observer.on_validation) observer.on_validation(position_, evaluation, best);
}

bool Trainer::ended() const {
  const bool impatient = settings_.patience > 0 && position_.without_best >= settings_.patience;
  return position_.epoch == settings_.epochs || (position_.batch == 0 && impatient);
}

bool Trainer::fit(const TrainerObserver& observer) {
  runner_.clear();
  while (!ended()) {
    const bool whole = train_epoch(observer);
    if (whole) {
      ++position_.epoch;
      position_.batch = 0;
      position_.epoch_loss = 0;
      if (position_.epoch % settings_.val_interval == 0 || position_.epoch == settings_.epochs)
        validate(observer);
    }
    if (observer.on_checkpoint) observer.on_checkpoint(position_);
    if (!whole || communicator_.any(settings_.stop && settings_.stop())) return false;
  }
  if (!position_.has_best)
    throw Error(
        ErrorKind::numeric,
        "no validation had a finite loss, so no weights are the best: the period has no values, "
        "or the weights diverged, which a lower learning rate may prevent");
  return true;
}

Evaluation Trainer::evaluate(Split split) {
  Context context = runner_.context();
  context.phase = Phase::evaluate;
  return task_.evaluate(context, split, communicator_);
}

TestReport Trainer::test() {
  Context context = runner_.context();
  context.phase = Phase::evaluate;
  return task_.test(context, Split::test, communicator_);
}

}  // namespace py4cast
