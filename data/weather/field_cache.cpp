#include "data/weather/field_cache.h"

namespace py4cast {

FieldCache::FieldCache(int64_t moments, const std::vector<int64_t>& plane_bytes,
                       MemoryLedger* ledger)
    : ledger_(ledger),
      places_{0},
      packings_(static_cast<size_t>(moments) * plane_bytes.size()),
      ready_(packings_.size()) {
  for (const int64_t bytes : plane_bytes) places_.push_back(places_.back() + bytes);
  if (moments)
    memory_ = allocate_host(static_cast<size_t>(moments * places_.back()), ledger, Owner::batches,
                            "fields");
}

StoredField FieldCache::get(int64_t moment, int64_t plane,
                            const std::function<Packing(std::byte*)>& read) {
  const auto own = static_cast<size_t>(plane);
  const size_t index = static_cast<size_t>(moment) * (places_.size() - 1) + own;
  std::byte* const numbers = memory_->data() + moment * places_.back() + places_[own];
  if (!ready_[index].load(std::memory_order_acquire)) {
    std::lock_guard lock(mutexes_[index % mutexes_.size()]);
    if (!ready_[index].load(std::memory_order_relaxed)) {
      packings_[index] = read(numbers);
      ready_[index].store(true, std::memory_order_release);
    }
  }
  return {numbers, packings_[index]};
}

std::shared_ptr<Storage> FieldCache::spare(int64_t bytes) {
  std::shared_ptr<Storage> buffer;
  {
    std::lock_guard lock(spare_mutex_);
    if (!spares_.empty()) {
      buffer = std::move(spares_.back());
      spares_.pop_back();
    } else {
      ++made_;
    }
  }
  if (!buffer || buffer->bytes() < static_cast<size_t>(bytes))
    buffer = allocate_host(static_cast<size_t>(bytes), ledger_, Owner::batches, "fields");
  Storage* const storage = buffer.get();
  return std::shared_ptr<Storage>(storage, [this, buffer = std::move(buffer)](Storage*) mutable {
    std::lock_guard lock(spare_mutex_);
    spares_.push_back(std::move(buffer));
  });
}

void FieldCache::expect(int64_t buffers, int64_t bytes) {
  std::lock_guard lock(spare_mutex_);
  expected_ += buffers;
  for (; made_ < expected_; ++made_)
    spares_.push_back(allocate_host(static_cast<size_t>(bytes), ledger_, Owner::batches, "fields"));
}

}  // namespace py4cast
