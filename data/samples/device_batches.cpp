#include "data/samples/device_batches.h"

#include <optional>
#include <utility>

#include "engine/error.h"
#include "engine/parameters.h"
#include "kernels/fields/decode_fields.h"

namespace py4cast {
namespace {

LoaderSettings loader_settings(LoaderSettings settings, const Context& context) {
  settings.stored = context.device.kind != DeviceKind::cpu;
  return settings;
}

Tensor first(const Tensor& tensor, int64_t count) {
  return tensor.defined() ? tensor.viewed(tensor.shape().with(0, count), tensor.strides(), 0)
                          : Tensor();
}

}  // namespace

// The way of a batch: the loader's ring -> staged (by the copy stream) -> current (decoded by the
// main one).
struct DeviceBatches::Copies {
  explicit Copies(Device device) : stream(device), arrived(device), taken(device) {}

  CudaStream stream;
  CudaEvent arrived;           // on the copy stream: `staged` is complete
  CudaEvent taken;             // on the main stream: `staged` may be overwritten
  Tensor staged;               // as the loader's Batch::stored, of a full batch
  Batch current;               // the tensors of a full batch
  std::optional<Batch> ahead;  // what is staged; none: the epoch is over
  std::exception_ptr error;    // of the staged batch
  Batch batch;                 // what next() gave
};

DeviceBatches::DeviceBatches(std::shared_ptr<const Dataset> dataset, const LoaderSettings& settings,
                             const Context& context)
    : context_(context),
      loader_(std::move(dataset), loader_settings(settings, context), context.ledger) {
  if (context_.device.kind == DeviceKind::cpu) return;
  copies_ = std::make_unique<Copies>(context_.device);
  count(1);
  const auto memory = [&](const Shape& shape, DataType type = DataType::f32) {
    return Tensor(allocate(static_cast<size_t>(shape.numel()) * size_of(type), context_.device,
                           context_.ledger, Owner::batches, "device batch"),
                  type, shape);
  };
  const Dataset& data = loader_.dataset();
  const DatasetInfo& info = data.info();
  const int64_t samples = settings.batch_size, steps = data.num_pred_steps(), rows = info.rows,
                columns = info.columns;
  copies_->staged = memory({loader_.layout().words(samples)}, DataType::i64);
  Batch& current = copies_->current;
  current.inputs = memory({samples, data.num_input_steps(), rows, columns, info.weather_dim()});
  current.outputs = memory({samples, steps, rows, columns, info.weather_dim()});
  current.forcing = memory({samples, steps, rows, columns, info.forcing_dim()});
  if (!data.store().settings().mask_missing) return;
  current.input_valid = memory({samples, rows, columns, 1});
  current.output_valid = memory(current.outputs.shape());
}

DeviceBatches::~DeviceBatches() {
  if (!copies_) return;
  try {
    synchronize(copies_->stream.get());  // before the loader's memory goes
  } catch (const Error&) {               // a device that failed: who met it first has said so
  }
  count(-1);
}

void DeviceBatches::count(int64_t change) const {
  if (!context_.ledger) return;
  context_.ledger->count(Resource::stream, "batches", change);
  context_.ledger->count(Resource::event, "batches", 2 * change);
}

void DeviceBatches::start(int64_t epoch, int64_t first_batch) {
  if (copies_) copies_->arrived.synchronize();
  loader_.start(epoch, first_batch);
  if (copies_) stage();
}

// Loads the next batch and begins its copy.
void DeviceBatches::stage() {
  Copies& c = *copies_;
  c.arrived.synchronize();  // the loader may use the former batch's memory again
  c.ahead.reset();
  c.error = nullptr;
  const Batch* batch = nullptr;
  try {
    batch = loader_.next();
  } catch (...) {
    c.error = std::current_exception();
  }
  if (!batch) return;
  c.ahead = *batch;
  c.ahead->stored = Tensor();
  c.taken.wait(c.stream.get());
  const Tensor to = first(c.staged, batch->stored.numel());
  if (batch->count > 0 && loader_.settings().pinned) copy_async(batch->stored, to, c.stream.get());
  if (batch->count > 0 && !loader_.settings().pinned) copy(batch->stored, to);
  c.arrived.record(c.stream.get());
}

void DeviceBatches::decode(Batch& batch) {
  const Copies& c = *copies_;
  const StoredBatch& layout = loader_.layout();
  for (const auto tensor : {&Batch::inputs, &Batch::outputs, &Batch::forcing, &Batch::input_valid,
                            &Batch::output_valid})
    batch.*tensor = first(c.current.*tensor, batch.count);
  const Tensor numbers = layout.numbers(c.staged, batch.count);
  decode_fields(context_, numbers, layout.inputs(c.staged, batch.count),
                {.values = batch.inputs, .all_valid = batch.input_valid});
  decode_fields(context_, numbers, layout.forcing(c.staged, batch.count),
                {.values = batch.forcing, .all_valid = batch.input_valid, .combine = true});
  decode_fields(context_, numbers, layout.outputs(c.staged, batch.count),
                {.values = batch.outputs, .valid = batch.output_valid});
}

const Batch* DeviceBatches::next() {
  if (!copies_) return loader_.next();
  Copies& c = *copies_;
  if (c.error) std::rethrow_exception(std::exchange(c.error, nullptr));
  if (!c.ahead) return nullptr;
  c.batch = *c.ahead;
  c.arrived.wait(context_.stream);
  decode(c.batch);
  c.taken.record(context_.stream);
  stage();
  return &c.batch;
}

}  // namespace py4cast
