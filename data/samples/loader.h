// Batches of samples, loaded ahead by threads into a ring of buffers that is allocated once.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "data/samples/batch_layout.h"
#include "engine/memory.h"
#include "engine/random.h"

namespace py4cast {

struct Batch {
  TensorMap tensors;             // [count, ...] by buffer (Samples::buffers)
  Tensor block;                  // i64: all of them in one piece (data/samples/batch_layout.h)
  int64_t count = 0;             // number of samples; 0: the other ranks have the rest
  std::vector<int64_t> samples;  // their indices
  int64_t index = 0;             // of the batch in the epoch, over all ranks
};

struct LoaderSettings {
  int64_t batch_size = 1;
  int64_t num_workers = 1;      // threads; 0: next() loads by itself
  int64_t prefetch_factor = 2;  // batches loaded ahead, or more if the threads need them to be busy
  bool shuffle = false;         // order of epoch e: key.child(e).permutation(size); else as stored
  RandomKey key;
  int64_t rank = 0, ranks = 1;
  int64_t limit_batches = 0;  // micro-steps of a rank in an epoch; 0: all
  bool pinned = false;        // memory of the batches: a GPU can copy from it by itself
};

// The order of an epoch is cut into batches of batch_size; the last one may be smaller. In
// micro-step s rank r of P has batch s * P + r. No sample comes twice. If the batches do not divide by P, the last ranks have an
// empty batch (count 0) in the last micro-step, so all ranks take the same number of micro-steps.
//
// What comes out does not depend on the number of workers. One consumer thread.
class Loader {
 public:
  // Error(configuration): settings that are impossible or absurd, threads that the system refuses.
  Loader(std::shared_ptr<const Samples> samples, const LoaderSettings& settings,
         MemoryLedger* ledger = nullptr);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t batches() const { return batches_; }  // micro-steps of this rank in an epoch
  const Samples& samples() const { return *samples_; }
  const LoaderSettings& settings() const { return settings_; }
  const BatchLayout& layout() const { return layout_; }  // of Batch::block

  // Begins an epoch, at a given micro-step (to resume).
  void start(int64_t epoch, int64_t first_batch = 0);
  // The next batch, valid until the next call of next or start; null at the end of the epoch. An
  // error of a worker is thrown here, by the batch that it belongs to.
  const Batch* next();

 private:
  int64_t threads() const { return std::max<int64_t>(1, settings_.num_workers); }  // that load
  struct Buffer;

  Buffer& buffer_of(int64_t step) const { return *ring_[static_cast<size_t>(step) % ring_.size()]; }
  void end_workers();
  void prepare_ahead();
  void prepare(int64_t step);
  void work();
  void load_sample(Buffer& buffer, int64_t k);

  std::shared_ptr<const Samples> samples_;
  LoaderSettings settings_;
  BatchLayout layout_;
  MemoryLedger* ledger_;
  int64_t batches_ = 0, all_batches_ = 0;  // of this rank, of all ranks
  std::vector<int64_t> order_;
  std::vector<std::unique_ptr<Buffer>> ring_;

  std::mutex mutex_;
  std::condition_variable work_ready_, batch_ready_;
  // Micro-steps: consumed_ <= loading_ <= prepared_ <= consumed_ + size of the ring.
  int64_t consumed_ = 0;                      // what next() gives
  int64_t prepared_ = 0;                      // the first one without a buffer
  int64_t loading_ = 0, loading_sample_ = 0;  // the workers' next task
  int64_t active_ = 0;                        // tasks at work
  bool held_ = false;                         // the consumer has batch consumed_
  bool running_ = false;                      // start was called
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace py4cast
