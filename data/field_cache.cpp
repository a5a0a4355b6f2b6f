#include "data/field_cache.h"

namespace py4cast {

FieldCache::FieldCache(int64_t planes, int64_t points, MemoryLedger* ledger)
    : points_(static_cast<size_t>(points)), ledger_(ledger), ready_(static_cast<size_t>(planes)) {
  if (planes)
    memory_ = allocate_host(static_cast<size_t>(planes) * points_ * sizeof(float), ledger,
                            Owner::batches, "fields");
}

const float* FieldCache::get(int64_t plane, const std::function<void(float*)>& read) {
  const auto index = static_cast<size_t>(plane);
  float* field = reinterpret_cast<float*>(memory_->data()) + index * points_;
  if (ready_[index].load(std::memory_order_acquire)) return field;
  std::lock_guard lock(mutexes_[index % mutexes_.size()]);
  if (!ready_[index].load(std::memory_order_relaxed)) {
    read(field);
    ready_[index].store(true, std::memory_order_release);
  }
  return field;
}

std::shared_ptr<Storage> FieldCache::spare(int64_t planes) {
  const size_t bytes = static_cast<size_t>(planes) * points_ * sizeof(float);
  std::shared_ptr<Storage> buffer;
  {
    std::lock_guard lock(spare_mutex_);
    if (!spares_.empty()) {
      buffer = std::move(spares_.back());
      spares_.pop_back();
    }
  }
  if (!buffer || buffer->bytes() < bytes)
    buffer = allocate_host(bytes, ledger_, Owner::batches, "fields");
  Storage* const storage = buffer.get();
  return std::shared_ptr<Storage>(storage, [this, buffer = std::move(buffer)](Storage*) mutable {
    std::lock_guard lock(spare_mutex_);
    spares_.push_back(std::move(buffer));
  });
}

}  // namespace py4cast
