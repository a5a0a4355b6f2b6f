// That this process gets on, for RankWatch to see: counts that only grow, one set in a process; thread safe.
#pragma once

#include <atomic>
#include <cstdint>

namespace py4cast {

struct SignsOfLife {
  // Pieces of work (a field read, a batch taken, a file opened or written) of whoever may work for long
  // without a step or a message to the other ranks.
  std::atomic<int64_t> work = 0;
  // Calls to the other ranks that were begun, the same ones on each rank: who has begun fewer is waited for.
  std::atomic<int64_t> calls = 0;
};

inline SignsOfLife& signs_of_life() {
  static SignsOfLife signs;
  return signs;
}
inline void show_life() {
  signs_of_life().work.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace py4cast
