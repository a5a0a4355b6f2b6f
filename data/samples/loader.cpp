#include "data/samples/loader.h"

#include <algorithm>
#include <exception>
#include <numeric>

#include "engine/cuda.h"
#include "engine/error.h"
#include "engine/signs_of_life.h"

namespace py4cast {
namespace {

constexpr int64_t most_workers = 1024, most_ahead = 4096;

int64_t divided_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

// One batch of the ring: all its memory, and how far it is.
struct Loader::Buffer {
  Tensor block;  // of batch_size samples
  Batch batch;
  int64_t remaining = 0;                   // samples not loaded yet
  std::vector<std::exception_ptr> errors;  // by sample
};

Loader::Loader(std::shared_ptr<const Samples> samples, const LoaderSettings& settings,
               MemoryLedger* ledger)
    : samples_(std::move(samples)),
      settings_(settings),
      layout_(samples_->buffers(), settings.batch_size),
      ledger_(ledger) {
  const LoaderSettings& s = settings_;
  if (s.batch_size < 1 || s.num_workers < 0 || s.prefetch_factor < 1 || s.ranks < 1 || s.rank < 0 ||
      s.rank >= s.ranks)
    throw Error(ErrorKind::configuration, "loader: batch_size ", s.batch_size, ", num_workers ",
                s.num_workers, ", prefetch_factor ", s.prefetch_factor, ", rank ", s.rank, " of ",
                s.ranks, " is impossible");
  if (s.num_workers > most_workers || s.prefetch_factor > most_ahead)
    throw Error(ErrorKind::configuration, "loader: num_workers ", s.num_workers,
                " and prefetch_factor ", s.prefetch_factor, " are more than any machine needs (",
                most_workers, " and ", most_ahead, ")");
  all_batches_ = divided_up(samples_->size(), s.batch_size);
  if (s.limit_batches > 0)
    all_batches_ = std::min(all_batches_, std::min(s.limit_batches, all_batches_) * s.ranks);
  batches_ = divided_up(all_batches_, s.ranks);

  const int64_t words = layout_.words(s.batch_size);
  const auto bytes = static_cast<size_t>(words) * sizeof(int64_t);
  // One is the consumer's; each thread has a sample of the others to load.
  const int64_t ahead = std::max(s.prefetch_factor, divided_up(s.num_workers, s.batch_size)),
                buffers = s.num_workers ? ahead + 1 : 1;
  for (int64_t i = 0; i < buffers; ++i)
    ring_.emplace_back(std::make_unique<Buffer>())->block =
        Tensor(s.pinned ? allocate_pinned(bytes, ledger, Owner::batches, "loader")
                        : allocate_host(bytes, ledger, Owner::batches, "loader"),
               DataType::i64, {words});
  samples_->expect_threads(threads());
  try {
    for (int64_t i = 0; i < s.num_workers; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::exception& error) {
    const size_t started = workers_.size();
    end_workers();
    samples_->expect_threads(-threads());
    throw Error(ErrorKind::configuration, "only ", started, " of ", s.num_workers,
                " reading threads (num_workers) can be started: ", error.what());
  }
  if (ledger_) ledger_->count(Resource::thread, "loader", s.num_workers);
}

Loader::~Loader() {
  end_workers();
  samples_->expect_threads(-threads());
  if (ledger_) ledger_->count(Resource::thread, "loader", -settings_.num_workers);
}

void Loader::end_workers() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_ready_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Loader::start(int64_t epoch, int64_t first_batch) {
  std::unique_lock lock(mutex_);
  running_ = false;
  batch_ready_.wait(lock, [this] { return active_ == 0; });
  if (settings_.shuffle) {
    order_ = settings_.key.child(static_cast<uint64_t>(epoch)).permutation(samples_->size());
  } else {
    order_.resize(static_cast<size_t>(samples_->size()));
    std::iota(order_.begin(), order_.end(), 0);
  }
  consumed_ = loading_ = prepared_ = first_batch;
  loading_sample_ = 0;
  held_ = false;
  running_ = true;
  prepare_ahead();
}

// Lays out every batch whose buffer is free.
void Loader::prepare_ahead() {
  const auto ring = static_cast<int64_t>(ring_.size());
  for (; prepared_ < std::min(consumed_ + ring, batches_); ++prepared_) prepare(prepared_);
  work_ready_.notify_all();
}

void Loader::prepare(int64_t step) {
  const LoaderSettings& s = settings_;
  Buffer& buffer = buffer_of(step);
  Batch& batch = buffer.batch;
  const int64_t all_samples = std::min(samples_->size(), all_batches_ * s.batch_size);
  batch.index = step * s.ranks + s.rank;
  const int64_t begin = std::min(batch.index * s.batch_size, all_samples);
  const int64_t end = std::min(begin + s.batch_size, all_samples);
  batch.count = end - begin;
  batch.samples.assign(order_.begin() + begin, order_.begin() + end);
  batch.tensors = layout_.tensors(buffer.block, batch.count);
  batch.block = first_of(buffer.block, layout_.words(batch.count));
  buffer.remaining = batch.count;
  buffer.errors.assign(static_cast<size_t>(batch.count), nullptr);
}

void Loader::load_sample(Buffer& buffer, int64_t k) {
  try {
    samples_->load(buffer.batch.samples[static_cast<size_t>(k)], layout_.places(buffer.block, k));
  } catch (...) {
    buffer.errors[static_cast<size_t>(k)] = std::current_exception();
  }
}

void Loader::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    // Workers share the samples of a batch, so that the first batch comes soon.
    while (running_ && loading_ < prepared_ && loading_sample_ == buffer_of(loading_).batch.count) {
      ++loading_;
      loading_sample_ = 0;
    }
    if (stop_) return;
    if (!running_ || loading_ == prepared_) {
      work_ready_.wait(lock);
      continue;
    }
    Buffer& buffer = buffer_of(loading_);
    const int64_t k = loading_sample_++;
    ++active_;
    lock.unlock();
    load_sample(buffer, k);
    lock.lock();
    --active_;
    if (--buffer.remaining == 0 || active_ == 0) batch_ready_.notify_all();
  }
}

const Batch* Loader::next() {
  show_life();
  std::unique_lock lock(mutex_);
  if (held_) {
    ++consumed_;
    held_ = false;
    prepare_ahead();
  }
  if (!running_ || consumed_ >= batches_) return nullptr;
  Buffer& buffer = buffer_of(consumed_);
  held_ = true;
  if (workers_.empty()) {
    for (int64_t k = 0; k < buffer.batch.count; ++k) load_sample(buffer, k);
  } else {
    batch_ready_.wait(lock, [&] { return buffer.remaining == 0; });
  }
  // The first one in the order, whichever worker met it.
  for (const std::exception_ptr& error : buffer.errors)
    if (error) std::rethrow_exception(error);
  return &buffer.batch;
}

}  // namespace py4cast
