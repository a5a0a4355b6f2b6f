// The batches of a loader where the network runs.
#pragma once

#include <exception>
#include <memory>

#include "data/samples/loader.h"
#include "engine/context.h"
#include "engine/cuda.h"

namespace py4cast {

// On the CPU: the loader's batches themselves. On a GPU the tensors of a batch are always at the
// same addresses (a smaller batch takes a part). While the device works on one batch, a stream of
// its own copies the next one beside it, as it is stored, if the loader's memory is pinned;
// otherwise each copy waits. The context's stream decodes it (kernels/fields/decode_fields.h).
class DeviceBatches {
 public:
  DeviceBatches(std::shared_ptr<const Dataset> dataset, const LoaderSettings& settings,
                const Context& context);
  ~DeviceBatches();
  DeviceBatches(const DeviceBatches&) = delete;
  DeviceBatches& operator=(const DeviceBatches&) = delete;

  const Loader& loader() const { return loader_; }
  void start(int64_t epoch, int64_t first_batch = 0);
  // As Loader::next. The batch may be used by work on the context's stream that is put there before
  // the next call of next or start.
  const Batch* next();

 private:
  struct Copies;  // of a GPU
  void stage();
  void decode(Batch& batch);
  void count(int64_t change) const;  // in the ledger

  Context context_;
  Loader loader_;
  std::unique_ptr<Copies> copies_;
};

}  // namespace py4cast
