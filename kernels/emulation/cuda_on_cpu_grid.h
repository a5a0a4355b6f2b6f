// The grid that is run by this thread of the host, and what the parts of the emulation share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/emulation/cuda_on_cpu.h"
#include "kernels/emulation/cuda_on_cpu_fibers.h"

namespace py4cast::emulation {

struct Fault {};  // ends a thread; the problem is noted

enum class State : uint8_t { fresh, ready, at_barrier, at_warp, ended };

// Where threads of a warp meet. It is kept until all have gone on to another one.
struct Meeting {
  unsigned mask, arrived;
  int readers;
  const char* operation;
  Place place;
  alignas(16) std::byte data[32 * 64];
};

struct PendingCopy {
  SharedBlock to;
  int64_t index;
  const void* from;
  size_t group;
  Place place;
};

struct ThreadState {
  Thread thread;
  Fiber* fiber = nullptr;  // on whose stack it is
  Place place;             // where it waits
  const char* operation = "";
  uint32_t stamp = 0, stamp_epoch = 0;  // of the last warp barrier that it passed
  Meeting* last = nullptr;              // its last warp operation
  std::vector<PendingCopy> copies;
  size_t group = 0;  // of copies, that is open
};

struct Warp {
  std::vector<Meeting*> open;  // not all have arrived
  unsigned absent = 0;         // lanes that have ended, or that the block does not have
  uint32_t barriers = 0;       // in this epoch
};

struct SharedEntry {
  const void* site;
  std::vector<std::byte> memory;
  std::vector<Shadow> shadow;
  SharedBlock block;
  uint32_t first_epoch = 0;  // of the block for which it was cleared
};

// Visits 0 ... n - 1 in the order of the settings: by a step that shares no factor with n.
class Order {
 public:
  Order(uint64_t n, uint64_t salt);
  uint64_t next() {
    const uint64_t at = at_;
    at_ += step_;
    if (at_ >= n_) at_ -= n_;
    return at;
  }

 private:
  uint64_t n_, at_ = 0, step_ = 0;
};

// One at a time in a thread of the host; kept from launch to launch for its memory.
struct Grid {
  // Of the launch.
  Kernel kernel{};
  dim3 size, block_size;
  size_t shared_bytes = 0;
  Place launched;
  unsigned threads = 0;
  std::string problem;
  Order blocks{1, 0};
  uint64_t blocks_left = 0;
  std::vector<std::unique_ptr<SharedEntry>> shared, spare_shared;

  // Of the block. Epochs go on from block to block and from launch to launch.
  BlockOfThreads block{};
  uint32_t epoch = 0;
  unsigned alive = 0, at_barrier = 0;
  bool same_barrier = true;  // all that wait there do so at the first one's place
  Place barrier_place;
  std::vector<State> states;
  std::vector<ThreadState> thread_states;
  std::vector<Warp> warps;
  std::vector<uint16_t> order;
  unsigned position = 0;  // in the order
  bool moved = false;     // some thread, since the order was begun

  unsigned running_thread = 0;
  bool is_running = false;
  Fiber host, *fiber = &host;  // the one at work
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Fiber*> idle;
  std::vector<std::unique_ptr<Meeting>> meetings;
  std::vector<Meeting*> spare_meetings;

  ThreadState& self() { return thread_states[running_thread]; }
  Warp& warp() { return warps[running_thread / 32]; }
};
PY4CAST_FAST_TLS inline thread_local constinit Grid* current_grid = nullptr;
inline Grid& grid() {
  return *current_grid;
}

// The thread at work waits: others go on until it is ready again.
void wait(State state);
// Renews what the notes of accesses say of the thread at work.
void set_now();
void leave_meeting(ThreadState& thread);

std::string shortened(const char* function);
std::string file_and_line(Place place);
std::string describe(const Thread& thread);
std::string describe_launch();

}  // namespace py4cast::emulation
