// The memory of emulated devices. A block has two addresses: the one that the program knows, where
// nothing is ever accessible, and `reserved` bytes further on the one of its bytes, which kernels
// use. There each block lies in pages of its own, followed by a page that is never accessible.
#pragma once

#include <cstddef>
#include <map>

namespace py4cast::emulation {

class DeviceMemory {
 public:
  // Error(memory) if there are no addresses. The limit is PY4CAST_EMULATED_MEMORY, 8 GiB if unset.
  DeviceMemory();

  // All bits set; null if the limit is passed.
  std::byte* allocate(size_t bytes);
  bool release(void* pointer);  // false if nothing was allocated there

  bool holds(const void* pointer) const { return pointer >= base_ && pointer < base_ + reserved; }
  bool holds_bytes(const void* pointer) const {
    return pointer >= base_ + reserved && pointer < base_ + 2 * reserved;
  }
  void* bytes_at(const void* pointer) const {
    return const_cast<std::byte*>(static_cast<const std::byte*>(pointer)) +
           (holds(pointer) ? reserved : 0);
  }
  // From either address to the end of the allocation; 0 outside of all.
  size_t bytes_from(const void* pointer) const;
  size_t used() const { return used_; }
  size_t limit() const { return limit_; }

 private:
  static constexpr size_t reserved = size_t{1} << 37;

  std::byte* base_;
  std::map<size_t, size_t> blocks_;  // bytes by offset
  size_t used_ = 0, limit_ = size_t{8} << 30;
};

}  // namespace py4cast::emulation
