#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/cuda_emulation_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "engine/address_sanitizer.h"
#include "engine/error.h"

namespace py4cast::emulation {
namespace {

constexpr size_t page = 4096, large = 1 << 20;

size_t whole_pages(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + page - 1) / page * page;
}

}  // namespace

DeviceMemory::DeviceMemory() {
  void* range =
      ::mmap(nullptr, 2 * reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) throw Error(ErrorKind::memory, "no addresses for emulated devices");
  base_ = static_cast<std::byte*>(range);
  const char* limit = std::getenv("PY4CAST_EMULATED_MEMORY");
  if (limit) limit_ = std::strtoull(limit, nullptr, 10);
}

std::byte* DeviceMemory::allocate(size_t bytes) {
  if (used_ + bytes > limit_) return nullptr;
  const size_t pages = whole_pages(bytes) + page;
  size_t at = 0;  // first fit
  for (const auto& [offset, block] : blocks_) {
    if (offset - at >= pages) break;
    at = offset + whole_pages(block) + page;
  }
  if (at + pages > reserved) return nullptr;
  blocks_[at] = bytes;
  used_ += bytes;
  std::byte* const there = base_ + reserved + at;
  ::mprotect(there, whole_pages(bytes), PROT_READ | PROT_WRITE);
  std::memset(there, 0xff, bytes);
  ASAN_POISON_MEMORY_REGION(there + bytes, whole_pages(bytes) - bytes);
  return base_ + at;
}

bool DeviceMemory::release(void* pointer) {
  const auto block = blocks_.find(static_cast<size_t>(static_cast<std::byte*>(pointer) - base_));
  if (block == blocks_.end()) return false;
  const size_t bytes = whole_pages(block->second);
  std::byte* const there = base_ + reserved + block->first;
  ASAN_UNPOISON_MEMORY_REGION(there, bytes);
  ::mprotect(there, bytes, PROT_NONE);
  if (bytes >= large) ::madvise(there, bytes, MADV_DONTNEED);
  used_ -= block->second;
  blocks_.erase(block);
  return true;
}

size_t DeviceMemory::bytes_from(const void* pointer) const {
  if (!holds(pointer) && !holds_bytes(pointer)) return 0;
  const auto offset =
      static_cast<size_t>(static_cast<const std::byte*>(pointer) - base_) % reserved;
  auto block = blocks_.upper_bound(offset);
  if (block == blocks_.begin()) return 0;
  --block;
  return offset - block->first < block->second ? block->second - (offset - block->first) : 0;
}

}  // namespace py4cast::emulation
#endif
