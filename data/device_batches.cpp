#include "data/device_batches.h"

#include <array>
#include <optional>
#include <utility>

#include "engine/error.h"
#include "engine/parameters.h"

namespace py4cast {
namespace {

constexpr std::array tensors{&Batch::inputs, &Batch::outputs, &Batch::forcing, &Batch::input_valid,
                             &Batch::output_valid};

}  // namespace

// The way of a batch: the loader's ring -> staged (by the copy stream) -> current (by the main
// one).
struct DeviceBatches::Copies {
  explicit Copies(Device device) : stream(device), arrived(device), taken(device) {}

  CudaStream stream;
  CudaEvent arrived;  // on the copy stream: `staged` is complete
  CudaEvent taken;    // on the main stream: `staged` may be overwritten
  std::array<Tensor, tensors.size()> staged, current;  // of a full batch
  std::optional<Batch> ahead;                          // what is staged; none: the epoch is over
  std::exception_ptr error;                            // of the staged batch
  Batch batch;                                         // what next() gave
};

DeviceBatches::DeviceBatches(std::shared_ptr<const Dataset> dataset, const LoaderSettings& settings,
                             const Context& context)
    : context_(context), loader_(std::move(dataset), settings, context.ledger) {
  if (context_.device.kind == DeviceKind::cpu) return;
  copies_ = std::make_unique<Copies>(context_.device);
  count(1);
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
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& from = batch->*tensors[i];
    if (!from.defined()) continue;
    if (!c.staged[i].defined()) {
      const Shape full = from.shape().with(0, loader_.settings().batch_size);
      for (Tensor* twin : {&c.staged[i], &c.current[i]})
        *twin = Tensor(allocate(static_cast<size_t>(full.numel()) * sizeof(float), context_.device,
                                context_.ledger, Owner::batches, "device batch"),
                       DataType::f32, full);
    }
    c.ahead.value().*tensors[i] = c.staged[i].viewed(from.shape(), from.strides(), 0);
    if (from.numel() == 0) continue;
    if (loader_.settings().pinned)
      copy_async(from, c.ahead.value().*tensors[i], c.stream.get());
    else
      copy(from, c.ahead.value().*tensors[i]);
  }
  c.arrived.record(c.stream.get());
}

const Batch* DeviceBatches::next() {
  if (!copies_) return loader_.next();
  Copies& c = *copies_;
  if (c.error) std::rethrow_exception(std::exchange(c.error, nullptr));
  if (!c.ahead) return nullptr;
  c.batch = *c.ahead;
  c.arrived.wait(context_.stream);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& from = (*c.ahead).*tensors[i];
    if (!from.defined()) continue;
    const Tensor to = c.current[i].viewed(from.shape(), from.strides(), 0);
    if (from.numel()) copy_async(from, to, context_.stream);
    c.batch.*tensors[i] = to;
  }
  c.taken.record(context_.stream);
  stage();
  return &c.batch;
}

}  // namespace py4cast
