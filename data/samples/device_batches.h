// The batches of a loader where the network runs.
#pragma once

#include <functional>
#include <memory>

#include "data/samples/loader.h"
#include "engine/context.h"
#include "engine/cuda.h"

namespace py4cast {

// On the CPU: the loader's batches themselves. On a GPU the tensors of a batch are always at the
// same addresses (a smaller batch takes a part). While the device works on one batch, a stream of
// its own copies the next one beside it, if the loader's memory is pinned; otherwise each copy
// waits. Then it comes to its place on the context's stream: by a copy, or by `decode`.
class DeviceBatches {
 public:
  // Puts other tensors in the place of those that came, which the next batch will overwrite: by
  // work on the context's stream, always at the same addresses. On the CPU, too.
  using Decode = std::function<void(Batch& batch)>;

  DeviceBatches(std::shared_ptr<const Samples> samples, const LoaderSettings& settings,
                const Context& context, Decode decode = {});
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
  void count(int64_t change) const;  // in the ledger

  Context context_;
  Loader loader_;
  Decode decode_;
  Batch batch_;  // what next() gave, unless it is the loader's
  std::unique_ptr<Copies> copies_;
};

}  // namespace py4cast
