// Decoded fields in memory.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/memory.h"

namespace py4cast {

// A fixed number of planes of `points` floats each, in one block that is only touched where it is
// used; and spare buffers for what is not kept. Safe to use from several threads.
class FieldCache {
 public:
  FieldCache(int64_t planes, int64_t points, MemoryLedger* ledger);

  // The plane, filled by `read` on first use (once, also with several threads; an exception leaves
  // it empty).
  const float* get(int64_t plane, const std::function<void(float*)>& read);

  // A buffer of `planes` planes, of no particular content; it comes back when the handle is
  // dropped, before this object dies.
  std::shared_ptr<Storage> spare(int64_t planes);

 private:
  size_t points_;
  MemoryLedger* ledger_;
  std::shared_ptr<Storage> memory_;
  std::vector<std::atomic<bool>> ready_;
  std::vector<std::mutex> mutexes_{64};  // plane i: number i % 64
  std::mutex spare_mutex_;
  std::vector<std::shared_ptr<Storage>> spares_;
};

}  // namespace py4cast
