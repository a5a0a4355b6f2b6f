#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cuda_on_cpu_shared.h"

#include <algorithm>

#include "engine/address_sanitizer.h"
#include "kernels/emulation/cuda_on_cpu_grid.h"

namespace py4cast::emulation {
namespace {

// Memory that an earlier launch had is taken again: its shadow is of older epochs.
SharedEntry& new_entry(const void* site, size_t count, size_t element_bytes) {
  Grid& g = grid();
  const size_t bytes = count * element_bytes;
  const auto spare =
      std::find_if(g.spare_shared.begin(), g.spare_shared.end(), [&](const auto& entry) {
        return entry->memory.size() >= bytes && entry->shadow.size() >= count;
      });
  std::unique_ptr<SharedEntry> entry;
  if (spare != g.spare_shared.end()) {
    entry = std::move(*spare);
    g.spare_shared.erase(spare);
  } else {
    entry = std::make_unique<SharedEntry>();
    entry->memory.resize(std::max<size_t>(bytes, 16));
    entry->shadow.resize(count);
  }
  ASAN_UNPOISON_MEMORY_REGION(entry->memory.data(), bytes);
  ASAN_POISON_MEMORY_REGION(entry->memory.data() + bytes, entry->memory.size() - bytes);
  entry->site = site;
  entry->block = {entry->memory.data(), count, element_bytes, entry->shadow.data()};
  entry->first_epoch = 0;
  return *g.shared.emplace_back(std::move(entry));
}

// Poisoned at its first use in a block.
SharedBlock& block_of(SharedEntry& entry) {
  if (entry.first_epoch != running.first_epoch) {
    entry.first_epoch = running.first_epoch;
    std::memset(entry.block.data, 0xff, entry.block.count * entry.block.element_bytes);
  }
  return entry.block;
}

inline void check_index(const SharedBlock& block, int64_t index, Place place) {
  if (static_cast<uint64_t>(index) >= block.count)
    fault("index " + std::to_string(index) + " of a shared array of " +
              std::to_string(block.count) + " elements",
          place);
}

// True if an access came before everything that the thread at work does now.
inline bool ordered(Access access) {
  if (access.epoch < running.now.epoch || access.owner == running.now.owner) return true;
  const ThreadState& self = grid().self();
  const uint32_t stamp = self.stamp_epoch == running.now.epoch ? self.stamp : 0;
  return access.warp() == running.now.warp() && stamp > access.stamp;
}

// The access at work becomes the last one; with others that no barrier orders it is one by several.
inline void note(Access& access) {
  Access now = running.now;
  if (!ordered(access)) {
    const bool same_warp = access.warp() == now.warp();
    now.owner = same_warp ? Access::of_warp + now.warp() : Access::of_block;
    if (!same_warp) now.stamp = 0;  // says nothing
  }
  access = now;
}

std::string writer(Access access) {
  return access.owner < Access::of_warp ? "thread " + std::to_string(access.owner)
                                        : "several threads";
}

}  // namespace

SharedBlock& shared_block(const void* site, size_t count, size_t element_bytes, Place place) {
  size_t total = 0;
  for (const auto& entry : grid().shared) {
    if (entry->site == site) return block_of(*entry);
    if (entry->site) total += entry->block.count * entry->block.element_bytes;
  }
  total += count * element_bytes;
  if (total > max_static_shared_bytes)
    fault("more than " + std::to_string(max_static_shared_bytes) + " bytes of shared memory",
          place);
  if (total + grid().shared_bytes > max_shared_bytes)
    fault("more than " + std::to_string(max_shared_bytes) +
              " bytes of shared memory with those of the launch",
          place);
  return block_of(new_entry(site, count, element_bytes));
}

SharedBlock& dynamic_shared_block(size_t element_bytes, Place) {
  for (const auto& entry : grid().shared)
    if (!entry->site) return block_of(*entry);
  return block_of(new_entry(nullptr, grid().shared_bytes / element_bytes, element_bytes));
}

void first_read(const SharedBlock& block, int64_t index, Place place) {
  check_index(block, index, place);
  Shadow& shadow = block.shadow[index];
  if (shadow.write.epoch < running.first_epoch)
    fault("element " + std::to_string(index) + " of a shared array is read, but was never written",
          place);
  if (!ordered(shadow.write))
    fault("race: element " + std::to_string(index) + " of a shared array is read, and " +
              writer(shadow.write) + " wrote it with no barrier between",
          place);
  note(shadow.read);
}

void note_write(const SharedBlock& block, int64_t index, Place place) {
  check_index(block, index, place);
  Shadow& shadow = block.shadow[index];
  for (const Access* other : {&shadow.write, &shadow.read})
    if (!ordered(*other))
      fault("race: element " + std::to_string(index) +
                " of a shared array is written, and another thread " +
                (other == &shadow.read ? "read" : "wrote") + " it with no barrier between",
            place);
  note(shadow.write);
}

void begin_copy(const SharedBlock& to, int64_t index, const void* from, Place place) {
  ThreadState& self = grid().self();
  self.copies.push_back({to, index, from, self.group, place});
}

void commit_copies() {
  ++grid().self().group;
}

void wait_for_copies(size_t newest) {
  ThreadState& self = grid().self();
  auto copy = self.copies.begin();
  for (; copy != self.copies.end() && copy->group + newest < self.group; ++copy) {
    const size_t element = copy->to.element_bytes;
    const auto count = static_cast<int64_t>(16 / element);
    for (int64_t i = 0; i < count; ++i) note_write(copy->to, copy->index + i, copy->place);
    std::byte* const target = copy->to.data + static_cast<size_t>(copy->index) * element;
    if (copy->from)
      std::memcpy(target, copy->from, 16);
    else
      std::memset(target, 0, 16);
  }
  self.copies.erase(self.copies.begin(), copy);
}

}  // namespace py4cast::emulation
#endif
