#include "data/samples/device_batches.h"

#include <optional>
#include <utility>

#include "engine/error.h"
#include "engine/parameters.h"

namespace py4cast {

// The way of a batch: the loader's ring -> staged (by the copy stream) -> where the network finds
// it (by the main one).
struct DeviceBatches::Copies {
  explicit Copies(Device device) : stream(device), arrived(device), taken(device) {}

  CudaStream stream;
  CudaEvent arrived;           // on the copy stream: `staged` is complete
  CudaEvent taken;             // on the main stream: `staged` may be overwritten
  Tensor staged;               // the block of a full batch
  Tensor current;              // likewise; undefined if batches are decoded
  std::optional<Batch> ahead;  // what is staged; none: the epoch is over
  std::exception_ptr error;    // of the staged batch
};

DeviceBatches::DeviceBatches(std::shared_ptr<const Samples> samples, const LoaderSettings& settings,
                             const Context& context, Decode decode)
    : context_(context),
      loader_(std::move(samples), settings, context.ledger),
      decode_(std::move(decode)) {
  if (context_.device.kind == DeviceKind::cpu) return;
  copies_ = std::make_unique<Copies>(context_.device);
  count(1);
  const int64_t words = loader_.layout().words(settings.batch_size);
  const auto block = [&] {
    return Tensor(allocate(static_cast<size_t>(words) * sizeof(int64_t), context_.device,
                           context_.ledger, Owner::batches, "device batch"),
                  DataType::i64, {words});
  };
  copies_->staged = block();
  if (!decode_) copies_->current = block();
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
  c.taken.wait(c.stream.get());
  const Tensor to = first_of(c.staged, batch->block.numel());
  if (batch->count > 0 && loader_.settings().pinned) copy_async(batch->block, to, c.stream.get());
  if (batch->count > 0 && !loader_.settings().pinned) copy(batch->block, to);
  c.arrived.record(c.stream.get());
}

const Batch* DeviceBatches::next() {
  if (!copies_) {
    const Batch* batch = loader_.next();
    if (!batch || !decode_) return batch;
    batch_ = *batch;
    decode_(batch_);
    return &batch_;
  }
  Copies& c = *copies_;
  if (c.error) {
    const std::exception_ptr error = c.error;
    stage();  // the epoch can go on
    std::rethrow_exception(error);
  }
  if (!c.ahead) return nullptr;
  batch_ = *c.ahead;
  batch_.block = first_of(decode_ ? c.staged : c.current, batch_.block.numel());
  batch_.tensors = loader_.layout().tensors(batch_.block, batch_.count);
  c.arrived.wait(context_.stream);
  if (decode_)
    decode_(batch_);
  else if (batch_.count > 0)
    copy_async(first_of(c.staged, batch_.block.numel()), batch_.block, context_.stream);
  c.taken.record(context_.stream);
  stage();
  return &batch_;
}

}  // namespace py4cast
