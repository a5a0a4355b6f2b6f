#include "data/zarr/chunk_cache.h"

namespace py4cast {

SharedChunk ChunkCache::get(const std::string& name, const std::function<SharedChunk()>& load) {
  const std::shared_ptr<Entry> entry = entry_of(name);
  const std::lock_guard lock(entry->mutex);
  if (!entry->made) {
    entry->chunk = load();
    entry->made = true;
    count(entry);
  }
  return entry->chunk;
}

size_t ChunkCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::shared_ptr<ChunkCache::Entry> ChunkCache::entry_of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = places_.find(name); found != places_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front();
  }
  entries_.push_front(std::make_shared<Entry>());
  entries_.front()->name = name;
  places_[name] = entries_.begin();
  return entries_.front();
}

// What was dropped while it was made is not counted: who asked for it holds the only copy.
void ChunkCache::count(const std::shared_ptr<Entry>& entry) {
  constexpr size_t overhead = 256;  // of a chunk that the store does not have, too
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(entry->name);
  if (found == places_.end() || *found->second != entry) return;
  entries_.splice(entries_.begin(), entries_, found->second);
  entry->counted = overhead + (entry->chunk ? entry->chunk->size : 0);
  bytes_ += entry->counted;
  while (bytes_ > capacity_ && entries_.size() > 1) {
    bytes_ -= entries_.back()->counted;
    places_.erase(entries_.back()->name);
    entries_.pop_back();
  }
}

}  // namespace py4cast
