// Shared memory of an emulated block: every access is checked against its bounds and against the
// accesses of other threads. What is here is the way of a correct access; everything else, and the
// sentences, are in cuda_on_cpu_shared.cpp.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

namespace py4cast::emulation {

using Place = std::source_location;

// Who touched an element last, and when: the epoch counts barriers of the block, the stamp those of
// the owner's warp since then.
struct Access {
  static constexpr uint32_t of_warp = 1024, of_block = 1056;  // owners: several threads of a warp
                                                              // (of_warp + its number), of several
  static constexpr uint32_t max_stamp = (1u << 21) - 1;
  uint32_t epoch = 0;
  uint32_t owner : 11 = 0, stamp : 21 = 0;
  uint32_t warp() const { return owner < of_warp ? owner / 32 : owner - of_warp; }
};
inline uint64_t bits(Access access) {
  return std::bit_cast<uint64_t>(access);
}
struct Shadow {
  Access write, read;
};
struct SharedBlock {
  std::byte* data;
  size_t count, element_bytes;
  Shadow* shadow;  // by element
};

// The thread at work, as its kernel sees it, and what notes of its accesses say.
struct Thread;
struct BlockOfThreads;
struct Running {
  const Thread* thread = nullptr;
  const BlockOfThreads* block = nullptr;
  Access now;
  uint64_t warp_read = 0, block_read = 0;  // reads of this epoch by several threads of the warp
                                           // (if it passed no barrier since), of several warps
  uint32_t first_epoch = 0;                // of the block
};
// Fibers stay on their thread of the host.
#define PY4CAST_FAST_TLS [[gnu::tls_model("initial-exec")]]
PY4CAST_FAST_TLS inline thread_local constinit Running running;

SharedBlock& shared_block(const void* site, size_t count, size_t element_bytes, Place place);
SharedBlock& dynamic_shared_block(size_t element_bytes, Place place);
// Checks an access and notes it.
void first_read(const SharedBlock& block, int64_t index, Place place);
void note_write(const SharedBlock& block, int64_t index, Place place);

// What others of the same kind read in this epoch, this thread may read: had somebody written
// since, or in this epoch before, one of the two would have been a fault.
inline void note_read(const SharedBlock& block, int64_t index, Place place) {
  if (static_cast<uint64_t>(index) < block.count) [[likely]] {
    const uint64_t last = bits(block.shadow[index].read);
    if (last == running.block_read || last == running.warp_read) [[likely]]
      return;
  }
  first_read(block, index, place);
}

// An element of shared memory: reads and writes are noted.
template <typename T>
class SharedElement {
 public:
  SharedElement(const SharedBlock& block, int64_t index, Place place)
      : block_(block), index_(index), place_(place) {}
  operator T() const {
    note_read(block_, index_, place_);
    T value;
    std::memcpy(&value, block_.data + static_cast<size_t>(index_) * sizeof(T), sizeof(T));
    return value;
  }
  const SharedElement& operator=(const T& value) const {
    note_write(block_, index_, place_);
    std::memcpy(block_.data + static_cast<size_t>(index_) * sizeof(T), &value, sizeof(T));
    return *this;
  }
  const SharedElement& operator=(const SharedElement& other) const {
    return *this = static_cast<T>(other);
  }
  const SharedElement& operator+=(const T& value) const {
    return *this = static_cast<T>(static_cast<T>(*this) + value);
  }

 private:
  const SharedBlock& block_;
  int64_t index_;
  Place place_;
};

// An index with the place where it is used.
struct Index {
  template <typename I>
  requires std::is_integral_v<I> Index(I value, Place where = Place::current())
      : i(static_cast<int64_t>(value)), place(where) {}
  int64_t i;
  Place place;
};

template <typename T>
class SharedArray {
 public:
  explicit SharedArray(const SharedBlock& block) : block_(block) {}
  SharedElement<T> operator[](Index index) const { return {block_, index.i, index.place}; }
  // For copies that go around the element's type (kernels/common/mma.h): bounds are checked, races are
  // noted as reads or writes of all `count` elements.
  T* pointer(int64_t index, int64_t count, bool write, Place place = Place::current()) const {
    for (int64_t i = index; i < index + count; ++i)
      write ? note_write(block_, i, place) : note_read(block_, i, place);
    return reinterpret_cast<T*>(block_.data) + index;
  }
  size_t size() const { return block_.count; }
  const SharedBlock& block() const { return block_; }

 private:
  SharedBlock block_;
};

// Copies of 16 bytes from global to shared memory (null: zeros), made as late as allowed: in groups
// that commit_copies closes, by the thread that waits for all but the `newest` last groups.
void begin_copy(const SharedBlock& to, int64_t index, const void* from, Place place);
void commit_copies();
void wait_for_copies(size_t newest);

}  // namespace py4cast::emulation
