// Fields in memory, as they are stored.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/memory.h"
#include "kernels/fields/field_plane.h"

namespace py4cast {

// Bytes of a plane whose end is the beginning of another one, of numbers of any type.
constexpr int64_t aligned(int64_t bytes) {
  return (bytes + 3) / 4 * 4;
}

// A field's numbers and how to unpack them.
struct StoredField {
  const std::byte* numbers = nullptr;
  Packing packing;
};

// The planes of a fixed number of moments, in one block that is only touched where it is used; and
// spare buffers for what is not kept. Safe to use from several threads.
class FieldCache {
 public:
  // plane_bytes: the sizes of a moment's planes, multiples of 4.
  FieldCache(int64_t moments, const std::vector<int64_t>& plane_bytes, MemoryLedger* ledger);

  // A plane of a moment, filled by `read` on first use (once, also with several threads; an
  // exception leaves it empty).
  StoredField get(int64_t moment, int64_t plane, const std::function<Packing(std::byte*)>& read);

  // A buffer of no particular content; it comes back when the handle is dropped, before this object
  // dies.
  std::shared_ptr<Storage> spare(int64_t bytes);
  // So many buffers more (or fewer) may be out at once: as many as ever can be are there from now on.
  void expect(int64_t buffers, int64_t bytes);

 private:
  MemoryLedger* ledger_;
  std::vector<int64_t> places_;  // of the planes in a moment; the last entry: all bytes
  std::shared_ptr<Storage> memory_;
  std::vector<Packing> packings_;
  std::vector<std::atomic<bool>> ready_;
  std::vector<std::mutex> mutexes_{64};  // plane i: number i % 64
  std::mutex spare_mutex_;
  std::vector<std::shared_ptr<Storage>> spares_;
  int64_t expected_ = 0, made_ = 0;  // buffers
};

}  // namespace py4cast
