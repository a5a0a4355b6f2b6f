#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "kernels/ops/arithmetic.h"
#include "kernels/ops/views.h"
#include "kernels/training/adamw.h"
#include "kernels/training/gradient_norm.h"
#include "layers/batch_norm.h"

namespace py4cast {
namespace {

// A fixed place for numbers of the steps, on a device or (pinned, if one writes to it) on the host.
Tensor place(const Context& context, const Shape& shape, DataType type, const char* name) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(type);
  return Tensor(allocate(bytes, context.device, context.ledger, Owner::other, name), type, shape);
}
Tensor host_place(const Context& context, const Shape& shape, DataType type, const char* name) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(type);
  return Tensor(context.device.kind == DeviceKind::cpu
                    ? allocate_host(bytes, context.ledger, Owner::other, name)
                    : allocate_pinned(bytes, context.ledger, Owner::other, name),
                type, shape);
}

}  // namespace

Trainer::Trainer(Context context, ParameterSlab& slab, Task& task, Communicator& communicator,
                 const TrainerSettings& settings)
    : context_(std::move(context)),
      slab_(slab),
      task_(task),
      communicator_(communicator),
      settings_(settings),
      arena_(*context_.ledger, StepArena::Mode::plan, 0, context_.device),
      graphs_(arena_, context_, settings.cuda_graph),
      first_moments_(slab.like_values(context_.ledger)),
      second_moments_(slab.like_values(context_.ledger)) {
  context_.arena = &arena_;
  settings_.schedule.total_steps = settings_.epochs * steps_per_epoch();
}

Trainer::~Trainer() {
  for (const Flight& flight : flights_)
    if (flight.done) context_.ledger->count(Resource::event, "trainer", -1);
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

std::string Trainer::key_of(bool last) const {
  return (last && overlaps() ? "train and sum " : "train ") + task_.batch_key();
}

// Loss and gradients of the task's batch; the record goes to record_.
void Trainer::micro_step(double scale, bool last) {
  Tape tape(add);
  std::vector<BufferUpdate> updates;
  Context context = context_;
  context.tape = &tape;
  context.phase = Phase::train;
  context.buffer_updates = &updates;
  // A captured step would repeat its numbers: ops that draw some need a counter on the device.
  context.random = RandomKey{static_cast<uint64_t>(settings_.seed)}
                       .child(static_cast<uint64_t>(position_.epoch))
                       .child(static_cast<uint64_t>(position_.batch + communicator_.rank()));
  const Tensor loss = task_.loss(context);
  Context plain = context.without_tape();
  const Tensor seed = full(plain, loss.shape(), loss.type(), scale);
  std::vector<const Parameter*>& order = orders_[key_of(last)];
  if (context.dry()) order.clear();
  const bool sums = last && buckets_ && !context.dry();
  if (sums) buckets_->begin(order, graphs_.capturing());
  tape.backward(context, {&loss, 1}, {seed},
                [&](Context& sink_context, const Parameter& parameter, Tensor gradient) {
                  add_into(sink_context, parameter.gradient(), gradient);
                  if (context.dry()) order.push_back(&parameter);
                  if (sums) buckets_->passed(parameter);
                });
  Tensor record = reshape(plain, loss.detached(), {1});
  if (!updates.empty()) record = concat(plain, {record, joined_statistics(plain, updates)}, 0);
  for (BufferUpdate& update : updates) update.batch_mean = update.batch_variance = {};
  updates_ = std::move(updates);
  if (!context.dry()) copy(context, record, record_);
}

const StepPlan& Trainer::plan() {
  task_.begin_epoch(0, 0);
  if (!task_.next_batch()) throw Error(ErrorKind::data, "this rank has no training batch");
  const bool last = settings_.accumulate_batches == 1;
  return arena_.plan(key_of(last), [&] { micro_step(1, last); });
}

// When each parameter's gradient becomes final, as rank 0 saw it in a dry run.
std::vector<int64_t> Trainer::common_times() {
  std::vector<int64_t> times;
  const std::vector<const Parameter*>& order = orders_.begin()->second;
  for (const Parameter& parameter : slab_.parameters()) {
    const auto place = std::find(order.begin(), order.end(), &parameter);
    times.push_back(place == order.end() ? -1 : place - order.begin());
  }
  communicator_.broadcast(std::as_writable_bytes(std::span(times)));
  return times;
}

void Trainer::prepare(bool last) {
  if (orders_.empty()) arena_.plan(key_of(last), [&] { micro_step(1, last); });
  if (overlaps())
    buckets_ = std::make_unique<GradientBuckets>(
        context_, communicator_, cut_gradients(slab_, common_times(), settings_.bucket_bytes));
  const int64_t record = 1 + statistics_size(updates_), ranks = communicator_.size(),
                accumulate = settings_.accumulate_batches;
  const DataType type = slab_.type();
  record_ = place(context_, {record}, type, "record of a micro-step");
  all_records_ = place(context_, {ranks, accumulate, record}, type, "records of a step");
  own_records_ = ranks == 1 ? all_records_.viewed({accumulate, record})
                            : place(context_, {accumulate, record}, type, "own records of a step");
  losses_ = place(context_, {ranks, accumulate}, type, "losses");
  fill_bytes(own_records_, 0, context_.stream);
  factors_ = place(context_, {adamw_factor_count}, DataType::f64, "factors of the optimiser");
  norm_ = place(context_, {gradient_norm_count}, DataType::f64, "gradient norm");
  clear_gradient_norm(context_, norm_);
  for (Flight& flight : flights_) {
    flight.factors = host_place(context_, factors_.shape(), DataType::f64, "factors");
    flight.losses = host_place(context_, losses_.shape(), type, "losses");
    flight.norm = host_place(context_, norm_.shape(), DataType::f64, "gradient norm");
    if (context_.device.kind == DeviceKind::cpu) continue;
    flight.done = std::make_unique<CudaEvent>(context_.device);
    context_.ledger->count(Resource::event, "trainer", 1);
  }
}

void Trainer::start_step(int64_t micro_batches, Flight& flight) {
  const int64_t ranks = communicator_.size();
  const double scale = 1.0 / static_cast<double>(settings_.accumulate_batches * ranks);
  flight.position = position_;
  flight.micro_batches = micro_batches;
  flight.lr = settings_.schedule.at(position_.step);
  fill_bytes(slab_.gradients(), 0, context_.stream);
  if (record_.defined()) fill_bytes(own_records_, 0, context_.stream);
  for (int64_t index = communicator_.rank(), own = 0; index < micro_batches;
       index += ranks, ++own) {
    if (!task_.next_batch())
      throw Error(ErrorKind::internal, "the training data end before their epoch");
    const bool last = index + ranks >= micro_batches;
    if (!record_.defined()) prepare(last);
    graphs_.run(key_of(last), [&] { micro_step(scale, last); });
    copy(context_, record_,
         own_records_.viewed(record_.shape(), record_.strides(), own * record_.numel()));
  }
  if (!record_.defined()) {
    if (orders_.empty()) throw Error(ErrorKind::data, "this rank has no training batch");
    prepare(true);
  }
  if (buckets_ && communicator_.rank() >= micro_batches) buckets_->begin({}, false);
  if (ranks > 1) exchange();
  optimiser_step(flight);
  position_.batch += micro_batches;
  ++position_.step;
}

void Trainer::exchange() {
  if (buckets_) return buckets_->exchange(own_records_, all_records_);
  communicator_.all_gather(context_, own_records_, all_records_);
  communicator_.sum_in_rank_order(context_, slab_.gradients());
}

void Trainer::optimiser_step(Flight& flight) {
  write_adamw_factors({.lr = flight.lr,
                       .beta1 = settings_.beta1,
                       .beta2 = settings_.beta2,
                       .epsilon = settings_.epsilon,
                       .weight_decay = settings_.weight_decay,
                       .step = flight.position.step + 1},
                      flight.factors);
  copy(context_, flight.factors, factors_);
  const int64_t ranks = communicator_.size(), record = record_.numel();
  graphs_.run("optimiser " + std::to_string(flight.micro_batches), [&] {
    Context context = context_;
    const Tensor records = all_records_.viewed({losses_.numel(), record});
    const Tensor losses = narrow(context, records, 1, 0, 1);
    if (!context.dry()) copy(context, losses.viewed(losses_.shape()), losses_);
    gradient_norm(context, slab_.gradients(), losses_, settings_.clip_norm, norm_);
    adamw(context, slab_.values(), slab_.gradients(), first_moments_, second_moments_, factors_,
          norm_);
    for (int64_t index = 0; index < flight.micro_batches && record > 1; ++index) {
      const int64_t row = index % ranks * settings_.accumulate_batches + index / ranks;
      apply_statistics(context, updates_, records.viewed({record - 1}, {1}, row * record + 1),
                       norm_);
    }
  });
  copy(context_, losses_, flight.losses);
  copy(context_, norm_, flight.norm);
  if (flight.done) flight.done->record(context_.stream);
}

StepReport Trainer::finish_step(Flight& flight) {
  if (flight.done) flight.done->synchronize();
  const Tensor wide = converted(flight.losses, DataType::f64);
  const int64_t ranks = communicator_.size();
  std::vector<double> losses;  // in the order of the micro-batches
  for (int64_t index = 0; index < flight.micro_batches; ++index)
    losses.push_back(wide.span<double>()[static_cast<size_t>(
        index % ranks * settings_.accumulate_batches + index / ranks)]);
  const GradientNorm norm = read_gradient_norm(flight.norm);
  if (norm.finite == 0) refuse_non_finite(flight, losses);
  StepReport report{.epoch = flight.position.epoch,
                    .step = flight.position.step + 1,
                    .lr = flight.lr,
                    .gradient_norm = norm.norm};
  for (double loss : losses) report.loss += loss;
  report.loss /= static_cast<double>(losses.size());
  return report;
}

// All ranks have seen the same losses; the one whose batch it was loads it again and says what is
// wrong with it. First the step ends that was started meanwhile: it changes nothing, but the ranks
// exchange in it.
void Trainer::refuse_non_finite(const Flight& flight, const std::vector<double>& losses) {
  if (context_.device.kind != DeviceKind::cpu) synchronize(context_.device);
  position_ = flight.position;
  const auto bad =
      std::find_if(losses.begin(), losses.end(), [](double loss) { return !std::isfinite(loss); });
  const std::string step = "step " + std::to_string(flight.position.step + 1) + " (epoch " +
                           std::to_string(flight.position.epoch + 1) + ")";
  constexpr const char* unchanged = "; nothing was changed by this step";
  if (bad == losses.end())
    throw Error(ErrorKind::numeric, step,
                ": the losses are finite but the gradients are not; a lower learning rate may help",
                unchanged);
  const int64_t index = bad - losses.begin(), ranks = communicator_.size();
  std::string text;
  if (communicator_.rank() == index % ranks) {
    Context context = context_;
    context.arena = nullptr;
    task_.begin_epoch(flight.position.epoch, flight.position.batch);
    for (int64_t own = 0; own <= index / ranks; ++own) task_.next_batch();
    text = task_.describe_batch() + "; " + task_.first_non_finite(context);
  }
  text = communicator_.broadcast(std::move(text), static_cast<int>(index % ranks));
  throw Error(ErrorKind::numeric, step, ": the loss is ", std::isnan(*bad) ? NAN : *bad, " for ",
              text, unchanged);
}

// Tells a profiler where the asked steps begin and end.
void Trainer::profile(int64_t step, bool begin) {
  if (context_.device.kind == DeviceKind::cpu ||
      step != (begin ? settings_.profile_first : settings_.profile_last))
    return;
  synchronize(context_.device);
  if (begin)
    start_profiler();
  else
    stop_profiler();
}

void Trainer::train_epoch(const TrainerObserver& observer) {
  const int64_t total = micro_batches_per_epoch(),
                group = settings_.accumulate_batches * communicator_.size();
  task_.begin_epoch(position_.epoch, position_.batch);
  double sum = 0;
  int64_t steps = 0;
  const auto finish = [&](Flight& flight) {
    const StepReport report = finish_step(flight);
    sum += report.loss;
    ++steps;
    if (observer.on_step) observer.on_step(report, steps_per_epoch());
  };
  const bool late = context_.device.kind != DeviceKind::cpu;
  Flight* before = nullptr;  // not finished
  while (position_.batch < total) {
    Flight& flight = flights_[static_cast<size_t>(position_.step % 2)];
    context_.ledger->begin_step(position_.step);
    profile(position_.step + 1, true);
    start_step(std::min(group, total - position_.batch), flight);
    profile(position_.step, false);
    if (before) finish(*before);
    before = late ? &flight : nullptr;
    if (!late) finish(flight);
  }
  if (before) finish(*before);
  if (observer.on_epoch && steps)
    observer.on_epoch(position_.epoch, sum / static_cast<double>(steps));
}

void Trainer::fit(const TrainerObserver& observer) {
  if (norm_.defined()) clear_gradient_norm(context_, norm_);
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
