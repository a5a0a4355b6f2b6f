// The memory of emulated devices: pages of a reserved range of addresses, each allocation followed
// by a page that is never accessible. Host code can touch them only while they are open.
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
  // To the end of the allocation; 0 outside of all.
  size_t bytes_from(const void* pointer) const;
  // Nests.
  void open();
  void close();
  bool is_open() const { return open_ > 0; }
  size_t used() const { return used_; }
  size_t limit() const { return limit_; }

 private:
  static constexpr size_t reserved = size_t{1} << 38;
  void protect(int protection);

  std::byte* base_;
  std::map<size_t, size_t> blocks_;  // bytes by offset
  size_t used_ = 0, limit_ = size_t{8} << 30;
  int open_ = 0;
};

}  // namespace py4cast::emulation
