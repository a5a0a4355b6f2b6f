#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/arithmetic.h"
#include "kernels/gradient_norm.h"
#include "layers/batch_norm.h"

namespace py4cast {
namespace {

double scalar(const Tensor& tensor) {
  Tensor host = host_tensor(tensor.shape(), tensor.type());
  copy(tensor, host);
  return tensor.type() == DataType::f64 ? *host.data<double>()
                                        : static_cast<double>(*host.data<float>());
}

}  // namespace

Trainer::Trainer(Context context, ParameterSlab& slab, Task& task, Communicator& communicator,
                 const TrainerSettings& settings)
    : context_(std::move(context)),
      slab_(slab),
      task_(task),
      communicator_(communicator),
      settings_(settings),
      arena_(*context_.ledger),
      first_moments_(slab.like_values(context_.ledger)),
      second_moments_(slab.like_values(context_.ledger)) {
  norm_ = context_.zeros({gradient_norm_count}, DataType::f64);
  context_.arena = &arena_;
  settings_.schedule.total_steps = settings_.epochs * steps_per_epoch();
}

int64_t Trainer::micro_batches_per_epoch() const {
  const int64_t all = task_.batches_per_epoch();
  return settings_.limit_train_batches
             ? std::min(all, settings_.limit_train_batches * communicator_.size())
             : all;
}

int64_t Trainer::steps_per_epoch() const {
  const int64_t group = settings_.accumulate_batches * communicator_.size();
  return (micro_batches_per_epoch() + group - 1) / group;
}

void Trainer::backward(double scale, MicroStep* result) {
  Tape tape(add);
  std::vector<BufferUpdate> updates;
  Context context = context_;
  context.tape = &tape;
  context.phase = Phase::train;
  context.buffer_updates = &updates;
  context.random = RandomKey{static_cast<uint64_t>(settings_.seed)}
                       .child(static_cast<uint64_t>(position_.epoch))
                       .child(static_cast<uint64_t>(position_.batch + communicator_.rank()));
  const Tensor loss = task_.loss(context);
  if (!context.dry()) result->loss = scalar(loss);
  const Context plain = context.without_tape();
  Context inner = plain;
  const Tensor seed = full(inner, loss.shape(), loss.type(), scale);
  tape.backward(context, {&loss, 1}, {seed},
                [](Context& sink_context, const Parameter& parameter, Tensor gradient) {
                  add_into(sink_context, parameter.gradient(), gradient);
                });
  if (!context.dry()) pack(slab_, updates, result->statistics);
}

const StepPlan& Trainer::plan() {
  task_.begin_epoch(0, 0);
  if (!task_.next_batch()) throw Error(ErrorKind::data, "this rank has no training batch");
  return arena_.plan("train " + task_.batch_key(), [&] { backward(1, nullptr); });
}

// The micro-steps of all ranks, in the order of the micro-batches.
std::vector<Trainer::MicroStep> Trainer::exchange(std::vector<MicroStep> own,
                                                  int64_t micro_batches) {
  std::vector<std::byte> bytes;
  for (const MicroStep& micro : own) {
    const uint64_t size = micro.statistics.size();
    bytes.insert(bytes.end(), reinterpret_cast<const std::byte*>(&micro.loss),
                 reinterpret_cast<const std::byte*>(&micro.loss + 1));
    bytes.insert(bytes.end(), reinterpret_cast<const std::byte*>(&size),
                 reinterpret_cast<const std::byte*>(&size + 1));
    bytes.insert(bytes.end(), micro.statistics.begin(), micro.statistics.end());
  }
  const std::vector<Communicator::Block> all = communicator_.all_gather(bytes);
  std::vector<MicroStep> result;
  std::vector<size_t> at(all.size(), 0);
  for (int64_t index = 0; index < micro_batches; ++index) {
    const auto rank = static_cast<size_t>(index) % all.size();
    const std::byte* data = all[rank].data() + at[rank];
    MicroStep micro{};
    uint64_t size = 0;
    std::memcpy(&micro.loss, data, sizeof micro.loss);
    std::memcpy(&size, data + sizeof micro.loss, sizeof size);
    data += sizeof micro.loss + sizeof size;
    micro.statistics.assign(data, data + size);
    at[rank] += sizeof micro.loss + sizeof size + size;
    result.push_back(std::move(micro));
  }
  return result;
}

void Trainer::refuse_non_finite(double loss) {
  Context context = context_;
  context.arena = nullptr;
  throw Error(ErrorKind::numeric, "step ", position_.step + 1, " (epoch ", position_.epoch + 1,
              "): the loss is ", loss, " for ", task_.describe_batch(), "; ",
              task_.first_non_finite(context), "; nothing was changed by this step");
}

StepReport Trainer::optimiser_step(int64_t micro_batches) {
  const int64_t ranks = communicator_.size();
  const double scale = 1.0 / static_cast<double>(settings_.accumulate_batches * ranks);
  std::memset(slab_.gradients().raw(), 0, slab_.gradients().bytes());
  std::vector<MicroStep> own;
  for (int64_t index = communicator_.rank(); index < micro_batches; index += ranks) {
    if (!task_.next_batch())
      throw Error(ErrorKind::internal, "the training data end before their epoch");
    MicroStep micro{};
    arena_.run("train " + task_.batch_key(), [&] { backward(scale, &micro); });
    if (!std::isfinite(micro.loss)) refuse_non_finite(micro.loss);
    own.push_back(std::move(micro));
  }
  const std::vector<MicroStep> all = exchange(std::move(own), micro_batches);
  if (slab_.type() == DataType::f64)
    communicator_.sum_in_rank_order(slab_.gradients().span<double>());
  else
    communicator_.sum_in_rank_order(slab_.gradients().span<float>());

  StepReport report{.epoch = position_.epoch, .step = position_.step + 1};
  for (const MicroStep& micro : all) report.loss += micro.loss;
  report.loss /= static_cast<double>(all.size());
  report.lr = settings_.schedule.at(position_.step);
  arena_.run("optimiser", [&] {
    Context context = context_;
    gradient_norm(context, slab_.gradients(), Tensor(), settings_.clip_norm, norm_);
    adamw(context, slab_.values(), slab_.gradients(), first_moments_, second_moments_,
          {.lr = report.lr,
           .beta1 = settings_.beta1,
           .beta2 = settings_.beta2,
           .epsilon = settings_.epsilon,
           .weight_decay = settings_.weight_decay,
           .step = position_.step + 1},
          norm_);
  });
  const GradientNorm found = read_gradient_norm(norm_);
  if (found.finite == 0)
    throw Error(ErrorKind::numeric, "step ", position_.step + 1, " (epoch ", position_.epoch + 1,
                "): the norm of the gradient is ", found.norm,
                " although the loss is finite; nothing was changed by this step");
  report.gradient_norm = found.norm;
  for (const MicroStep& micro : all) apply_packed(slab_, micro.statistics);
  position_.batch += micro_batches;
  ++position_.step;
  return report;
}

void Trainer::train_epoch(const TrainerObserver& observer) {
  const int64_t total = micro_batches_per_epoch(),
                group = settings_.accumulate_batches * communicator_.size();
  task_.begin_epoch(position_.epoch, position_.batch);
  double sum = 0;
  int64_t steps = 0;
  while (position_.batch < total) {
    context_.ledger->begin_step(position_.step);
    const StepReport report = optimiser_step(std::min(group, total - position_.batch));
    sum += report.loss;
    ++steps;
    if (observer.on_step) observer.on_step(report, steps_per_epoch());
  }
  if (observer.on_epoch && steps)
    observer.on_epoch(position_.epoch, sum / static_cast<double>(steps));
}

void Trainer::fit(const TrainerObserver& observer) {
  while (position_.epoch < settings_.epochs) {
    train_epoch(observer);
    ++position_.epoch;
    position_.batch = 0;
    if (position_.epoch % settings_.val_interval == 0 || position_.epoch == settings_.epochs) {
      const Evaluation evaluation = evaluate(Split::valid);
      const bool best = !position_.has_best || evaluation.loss < position_.best;
      if (best) {
        position_.best = evaluation.loss;
        position_.has_best = true;
      }
      if (observer.on_validation) observer.on_validation(position_, evaluation, best);
    }
    if (observer.on_checkpoint) observer.on_checkpoint(position_);
  }
}

Evaluation Trainer::evaluate(Split split) {
  Context context = context_;
  context.phase = Phase::evaluate;
  return task_.evaluate(context, split, communicator_);
}

}  // namespace py4cast
