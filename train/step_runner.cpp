#include "train/step_runner.h"

#include <algorithm>
#include <cmath>

#include "engine/checksum.h"
#include "engine/tape.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/views.h"
#include "kernels/training/gradient_norm.h"
#include "layers/batch_norm.h"
#include "layers/shared_values.h"
#include "train/gradient_sums.h"

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

void set_number(const Tensor& host, int64_t value) {
  if (host.type() == DataType::f64)
    *host.data<double>() = static_cast<double>(value);
  else
    *host.data<float>() = static_cast<float>(value);
}

// Distinguishes the micro-batches of all epochs.
int64_t counter_of(int64_t epoch, int64_t batch) {
  return (epoch << 32) + batch;
}

}  // namespace

struct StepRunner::Flight {
  Kind* kind = nullptr;
  StepPlace place;
  double lr = 0;
  // Read by the device: [factors], [micro-batches of this rank], [1].
  Tensor factors, counters, wish;
  // Written by the device: [ranks, micro-batches + 1], [norm].
  Tensor losses, norm;
  std::unique_ptr<CudaEvent> done;  // on a GPU
  Work work;
};

// A micro-step leaves a record: the loss and the batch statistics of `updates` (known from the first
// dry run). One more record of each rank begins with its wish. All in the memory of the device, at the
// same addresses in each step.
struct StepRunner::Kind {
  Move move;
  std::unique_ptr<GradientBuckets> buckets;
  std::vector<BufferUpdate> updates;
  // By key: the parameters in the order in which the backward pass hands over their gradients.
  std::map<std::string, std::vector<const Parameter*>> orders;
  std::string last_key;                    // of a step's last micro-step; empty: not planned
  std::map<std::string, Work> work;        // by key, as dry runs told it
  Tensor record;                           // [record]
  Tensor own_records;                      // [micro-batches + 1, record]
  Tensor all_records;                      // [ranks, micro-batches + 1, record]
  Tensor losses;                           // [ranks, micro-batches + 1]: with the wishes
  Tensor factors;                          // of the optimiser
  std::unique_ptr<RoundedValues> rounded;  // null: of f32, or on a CPU
  SharedValues values;
  std::array<Flight, 2> flights;
  size_t started = 0;
  // Of a micro-batch over all ranks; of the wish of a rank.
  int64_t row_of(int64_t index, int64_t ranks) const {
    return index % ranks * (move.micro_batches + 1) + index / ranks;
  }
  int64_t row_of_wish(int64_t rank) const { return (rank + 1) * (move.micro_batches + 1) - 1; }
};

StepRunner::StepRunner(Context context, Communicator& communicator, const StepSettings& settings)
    : context_(std::move(context)),
      communicator_(communicator),
      settings_(settings),
      arena_(*context_.ledger, StepArena::Mode::plan, 0, context_.device),
      graphs_(arena_, context_, settings.cuda_graph && !settings.seconds),
      norm_(place(context_, {gradient_norm_count}, DataType::f64, "gradient norm")),
      counter_(place(context_, {1}, DataType::i64, "counter of random numbers")) {
  context_.arena = &arena_;
  fill_bytes(counter_, 0, context_.stream);
  clear();
}

StepRunner::~StepRunner() {
  // Copies of steps under way may still write to the memory of their flights.
  try {
    if (under_way()) synchronize(context_.stream);
  } catch (const Error&) {
  }
  for (const auto& [name, kind] : kinds_)
    for (const Flight& flight : kind->flights)
      if (flight.done) context_.ledger->count(Resource::event, "step", -1);
}

void StepRunner::clear() {
  clear_gradient_norm(context_, norm_);
}

const GradientBuckets* StepRunner::buckets(const std::string& move) const {
  const auto kind = kinds_.find(move);
  return kind == kinds_.end() ? nullptr : kind->second->buckets.get();
}

StepRunner::Kind& StepRunner::kind_of(const Move& move) {
  std::unique_ptr<Kind>& kind = kinds_[move.name];
  if (!kind) kind = std::make_unique<Kind>();
  if (kind->move.learner &&
      (kind->move.learner != move.learner || kind->move.micro_batches != move.micro_batches))
    throw Error(ErrorKind::internal,
                "two moves with different learners or micro-batches are named '", move.name, "'");
  kind->move = move;
  if (!kind->rounded && context_.precision == Precision::bf16 && on_gpu())
    kind->rounded = std::make_unique<RoundedValues>(move.learner->slab(), context_.ledger);
  return *kind;
}

std::string StepRunner::key_of(const Move& move, const BatchSource& batches, Turn turn) const {
  const std::string part = !shares(turn) ? ""
                           : turn.first  ? " first"
                           : turn.last   ? " last"
                                         : " next";
  return move.name + part + (turn.last && overlaps() ? " and sum " : " ") + batches.batch_key();
}

// Loss and gradients of the current batch; the record goes to kind.record.
void StepRunner::micro_step(Kind& kind, const std::string& key, double scale, Turn turn) {
  Tape tape(add);
  tape.restrict_to(&kind.move.learner->slab());
  std::vector<BufferUpdate> updates;
  Context context = context_;
  context.tape = &tape;
  context.phase = Phase::train;
  context.buffer_updates = &updates;
  if (kind.rounded) {
    cast_into(context, kind.rounded->values(), kind.rounded->rounded());
    context.rounded = kind.rounded.get();
  }
  if (shares(turn)) {
    context.shared_values = &kind.values;
    kind.values.begin(turn.first);
  }
  context.random = RandomKey{static_cast<uint64_t>(settings_.seed)}.child(fnv1a(kind.move.name));
  context.random_counter = counter_;
  WorkCounter counted;
  if (context.dry()) context.observer = &counted;
  Tensor loss;
  {
    const PartRange range(context_, StepPart::forward, settings_.seconds);
    loss = kind.move.loss(context);
  }
  const PartRange range(context_, StepPart::backward, settings_.seconds);
  Context plain = context.without_tape();
  const Tensor seed = full(plain, loss.shape(), loss.type(), scale);
  std::vector<const Parameter*>& order = kind.orders[key];
  if (context.dry()) order.clear();
  const bool sums = turn.last && kind.buckets && !context.dry();
  const bool apart = on_gpu() && kind.move.micro_batches > 1 && tape.reuses();
  if (sums) {
    kind.buckets->begin(order, graphs_.capturing());
    if (!apart) kind.buckets->pass_empty();
  }
  const size_t most = size_t{4} << 20;
  GradientSums added(
      plain, kind.move.learner->slab(), apart,
      [&](const Parameter& parameter) {
        if (sums) kind.buckets->passed(parameter);
      },
      overlaps() ? std::min(most, static_cast<size_t>(settings_.bucket_bytes)) : most);
  context.weight_gradients = plain.weight_gradients = added.weights();
  const GradientSink sink = [&](Context&, const Parameter& parameter, Tensor gradient) {
    if (context.dry()) order.push_back(&parameter);
    added.add(parameter, std::move(gradient));
  };
  if (shares(turn)) {
    kind.values.add(plain, tape.backward(context, {&loss, 1}, {seed}, sink, kind.values.leaves()));
    if (turn.last) kind.values.finish(plain, tape, sink);
  } else {
    tape.backward(context, {&loss, 1}, {seed}, sink);
  }
  added.finish();
  if (sums && apart) kind.buckets->pass_empty();  // finish() adds to the whole slab
  Tensor record = reshape(plain, loss.detached(), {1});
  if (!updates.empty()) record = concat(plain, {record, joined_statistics(plain, updates)}, 0);
  for (BufferUpdate& update : updates) update.batch_mean = update.batch_variance = {};
  kind.updates = std::move(updates);
  if (context.dry())
    kind.work[key] = counted.total();
  else
    copy(context, record, kind.record);
}

const StepPlan& StepRunner::plan(const Move& move, const BatchSource& batches) {
  Kind& kind = kind_of(move);
  const bool one = move.micro_batches == 1;
  const StepPlan* largest = nullptr;
  std::vector<Turn> turns = {{.first = true, .last = one}};
  if (settings_.shared_values && move.micro_batches > 2)
    turns.push_back({.first = false, .last = false});
  turns.push_back({.first = one, .last = true});
  for (const Turn turn : turns) {
    const std::string key = key_of(move, batches, turn);
    const StepPlan& plan = arena_.plan(key, [&] { micro_step(kind, key, 1, turn); });
    if (!largest || plan.bytes > largest->bytes) largest = &plan;
    kind.last_key = key;
  }
  return *largest;
}

size_t StepRunner::shared_bytes() const {
  size_t result = 0;
  for (const auto& [name, kind] : kinds_) result += kind->values.bytes();
  return result;
}

// When each parameter's gradient becomes final, as rank 0 saw it in a dry run.
std::vector<int64_t> StepRunner::common_times(const Kind& kind) {
  std::vector<int64_t> times;
  const std::vector<const Parameter*>& order = kind.orders.at(kind.last_key);
  for (const Parameter& parameter : kind.move.learner->slab().parameters()) {
    const auto place = std::find(order.begin(), order.end(), &parameter);
    times.push_back(place == order.end() ? -1 : place - order.begin());
  }
  communicator_.broadcast(std::as_writable_bytes(std::span(times)));
  return times;
}

void StepRunner::prepare(Kind& kind) {
  const Optimizer& learner = *kind.move.learner;
  if (overlaps()) {
    // Ranks speak through the host now: not while steps of other moves speak between the devices.
    synchronize(context_.stream);
    kind.buckets = std::make_unique<GradientBuckets>(
        context_, communicator_,
        cut_gradients(learner.slab(), common_times(kind), settings_.bucket_bytes));
  }
  const int64_t record = 1 + statistics_size(kind.updates), ranks = communicator_.size(),
                rows = kind.move.micro_batches + 1;
  const DataType type = learner.slab().type();
  kind.record = place(context_, {record}, type, "record of a micro-step");
  kind.all_records = place(context_, {ranks, rows, record}, type, "records of a step");
  kind.own_records = ranks == 1 ? kind.all_records.viewed({rows, record})
                                : place(context_, {rows, record}, type, "own records of a step");
  kind.losses = place(context_, {ranks, rows}, type, "losses");
  fill_bytes(kind.own_records, 0, context_.stream);
  const Shape factors{learner.factor_count()};
  kind.factors = place(context_, factors, DataType::f64, "factors of the optimiser");
  for (Flight& flight : kind.flights) {
    flight.kind = &kind;
    flight.factors = host_place(context_, factors, DataType::f64, "factors");
    flight.counters = host_place(context_, {rows - 1}, DataType::i64, "counters");
    flight.wish = host_place(context_, {1}, type, "wish");
    flight.losses = host_place(context_, kind.losses.shape(), type, "losses");
    flight.norm = host_place(context_, norm_.shape(), DataType::f64, "gradient norm");
    if (!on_gpu()) continue;
    flight.done = std::make_unique<CudaEvent>(context_.device);
    context_.ledger->count(Resource::event, "step", 1);
  }
}

void StepRunner::start(const Move& move, BatchSource& batches, const StepPlace& place,
                       int64_t wish) {
  Kind& kind = kind_of(move);
  const int64_t ranks = communicator_.size(), rank = communicator_.rank();
  const double scale = 1.0 / static_cast<double>(move.micro_batches * ranks);
  Flight& flight = kind.flights[kind.started++ % kind.flights.size()];
  if (std::count(flights_.begin(), flights_.end(), &flight))
    throw Error(ErrorKind::internal, "a third step of move '", move.name,
                "' is started before the first one is finished");
  flight.place = place;
  flight.work = {};
  fill_bytes(move.learner->slab().gradients(), 0, context_.stream);
  if (kind.record.defined()) fill_bytes(kind.own_records, 0, context_.stream);
  for (int64_t index = rank, own = 0; index < place.micro_batches; index += ranks, ++own) {
    next_batch(batches);
    const Turn turn{.first = own == 0, .last = index + ranks >= place.micro_batches};
    const std::string key = key_of(move, batches, turn);
    if (kind.last_key.empty()) plan(move, batches);
    if (!kind.record.defined()) prepare(kind);
    flight.counters.span<int64_t>()[static_cast<size_t>(own)] =
        counter_of(place.epoch, place.batch + index);
    copy(context_, flight.counters.viewed({1}, {1}, own), counter_);
    graphs_.run(key, [&] { micro_step(kind, key, scale, turn); });
    flight.work += kind.work.at(key);
    copy(context_, kind.record,
         kind.own_records.viewed(kind.record.shape(), kind.record.strides(),
                                 own * kind.record.numel()));
  }
  if (!kind.record.defined()) {
    if (kind.last_key.empty()) throw Error(ErrorKind::data, "this rank has no training batch");
    prepare(kind);
  }
  set_number(flight.wish, wish);
  copy(context_, flight.wish,
       kind.own_records.viewed({1}, {1}, move.micro_batches * kind.record.numel()));
  if (kind.buckets && rank >= place.micro_batches) {
    kind.buckets->begin({}, false);
    kind.buckets->pass_empty();
  }
  if (settings_.arrived) settings_.arrived();
  if (ranks > 1) exchange(kind);
  optimiser_step(kind, flight);
  flights_.push_back(&flight);
}

void StepRunner::next_batch(BatchSource& batches) {
  const PartRange range(context_, StepPart::data, settings_.seconds);
  if (!batches.next_batch())
    throw Error(ErrorKind::internal, "the training data end before their epoch");
}

void StepRunner::exchange(Kind& kind) {
  const PartRange range(context_, StepPart::reduce, settings_.seconds);
  if (kind.buckets) return kind.buckets->exchange(kind.own_records, kind.all_records);
  communicator_.all_gather(context_, kind.own_records, kind.all_records);
  communicator_.sum_in_rank_order(context_, kind.move.learner->slab().gradients());
}

void StepRunner::optimiser_step(Kind& kind, Flight& flight) {
  const PartRange range(context_, StepPart::optimiser, settings_.seconds);
  Optimizer& learner = *kind.move.learner;
  flight.lr = learner.begin_step(flight.factors);
  copy(context_, flight.factors, kind.factors);
  const int64_t ranks = communicator_.size(), record = kind.record.numel();
  const std::string key =
      kind.move.name + " optimiser " + std::to_string(flight.place.micro_batches);
  graphs_.run(key, [&] {
    Context context = context_;
    WorkCounter counted;
    if (context.dry()) context.observer = &counted;
    const Tensor records = kind.all_records.viewed({kind.losses.numel(), record});
    const Tensor losses = narrow(context, records, 1, 0, 1);
    if (!context.dry()) copy(context, losses.viewed(kind.losses.shape()), kind.losses);
    learner.apply(context, kind.losses, kind.factors, norm_);
    for (int64_t index = 0; index < flight.place.micro_batches && record > 1; ++index) {
      const int64_t row = kind.row_of(index, ranks);
      apply_statistics(context, kind.updates, records.viewed({record - 1}, {1}, row * record + 1),
                       norm_);
    }
    if (context.dry()) kind.work[key] = counted.total();
  });
  flight.work += kind.work.at(key);
  copy(context_, kind.losses, flight.losses);
  copy(context_, norm_, flight.norm);
  if (flight.done) flight.done->record(context_.stream);
}

StepReport StepRunner::finish() {
  if (flights_.empty()) throw Error(ErrorKind::internal, "no step is under way");
  Flight& flight = *flights_.front();
  flights_.erase(flights_.begin());
  if (flight.done) flight.done->synchronize();
  const Tensor wide = converted(flight.losses, DataType::f64);
  const int64_t ranks = communicator_.size();
  const GradientNorm norm = read_gradient_norm(flight.norm);
  StepReport report{.move = flight.kind->move.name,
                    .place = flight.place,
                    .lr = flight.lr,
                    .gradient_norm = norm.norm,
                    .finite = norm.finite != 0,
                    .work = flight.work};
  const auto told = [&](int64_t row) { return wide.span<double>()[static_cast<size_t>(row)]; };
  for (int64_t index = 0; index < flight.place.micro_batches; ++index) {
    report.losses.push_back(told(flight.kind->row_of(index, ranks)));
    report.loss += report.losses.back();
  }
  for (int64_t rank = 0; rank < ranks; ++rank)
    report.wish = std::max(report.wish, static_cast<int64_t>(told(flight.kind->row_of_wish(rank))));
  report.loss /= static_cast<double>(report.losses.size());
  return report;
}

}  // namespace py4cast
