// CUDA kernels as C++ on the CPU, to find their mistakes on machines without a GPU.
//
// The blocks of a grid and the threads of a block run one after another; a thread that waits leaves
// its stack and another one begins on the next. Threads and blocks run in an order that
// emulation::settings() permutes: a correct kernel gives the same bits in each. Reported as
// Error(internal), with the place of the launch, block, thread and place:
// - barriers: a thread that ends, or waits elsewhere, while others wait at __syncthreads();
// - warp operations: a mask without the caller or with an ended thread, threads of one mask that
//   meet at different operations, a lane outside of the mask that is read;
// - shared memory: indices outside, reads of what nobody wrote (it starts as NaN), and races: two
//   accesses to an element by different threads, one of them a write, with no barrier between
//   (__syncwarp orders the threads of a warp);
// - global memory: indices outside of a Global view; raw pointers that leave their allocation end
//   the program with a sentence;
// - limits: threads, grid, shared memory, bytes of arguments.
// It cannot show the memory model between blocks, and says nothing about speed.
#pragma once

#include <cstdint>
#include <cstring>
#include <source_location>
#include <string>
#include <type_traits>

#include "engine/cuda_runtime.h"
#include "kernels/emulation/cuda_on_cpu_shared.h"

// CUDA's own names.
// NOLINTBEGIN(bugprone-reserved-identifier)
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
  unsigned x, y, z;
};

namespace py4cast::emulation {

constexpr size_t max_static_shared_bytes = 48 * 1024;
constexpr size_t max_shared_bytes = 99 * 1024;  // all of sm_86, sm_89 and sm_120; others have more
constexpr size_t max_argument_bytes = 4096;

struct Thread {
  uint3 index;
  unsigned linear;  // number in its block
};
struct BlockOfThreads {
  uint3 index;
  dim3 size, grid_size;
};

// Ends the thread at work, and with it the kernel.
[[noreturn]] void fault(const std::string& what, Place place);
[[noreturn]] void leaves_view(int64_t index, int64_t size, Place place);
[[noreturn]] void misaligned_vector(size_t bytes, Place place);

void barrier(Place place);
void warp_barrier(unsigned mask, Place place);
// Every lane of the mask gives `bytes` (at most 64) at the same place; then reads what others gave.
// The result is valid until this lane's next warp operation.
struct WarpData {
  const std::byte* data;  // of lane 0; 64 bytes for each lane
  unsigned given;         // lanes that gave
  const std::byte* lane(unsigned number) const { return data + 64 * number; }
};
WarpData warp_exchange(unsigned mask, const void* value, size_t bytes, const char* operation,
                       Place place);
inline unsigned lane_number() {
  return running.thread->linear % 32;
}

template <typename T>
T warp_read(unsigned mask, T value, unsigned from, const char* operation, Place place) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 64);
  const WarpData all = warp_exchange(mask, &value, sizeof value, operation, place);
  if (!((all.given >> from) & 1))
    fault(std::string(operation) + " reads lane " + std::to_string(from) +
              ", which is not in its mask",
          place);
  T result;
  std::memcpy(&result, all.lane(from), sizeof result);
  return result;
}

// A kernel with its arguments, ready to run for each thread.
struct Kernel {
  void (*call)(const void* arguments);
  const void* arguments;
};
void run_grid(const Kernel& kernel, dim3 grid, dim3 block, size_t shared_bytes, Place launched);
void check_device_memory(const void* data, size_t bytes, Place launched);
void check_launch(dim3 grid, dim3 block, size_t shared_bytes, size_t argument_bytes,
                  Place launched);

}  // namespace py4cast::emulation

#define threadIdx (::py4cast::emulation::running.thread->index)
#define blockIdx (::py4cast::emulation::running.block->index)
#define blockDim (::py4cast::emulation::running.block->size)
#define gridDim (::py4cast::emulation::running.block->grid_size)

inline void __syncthreads(std::source_location place = std::source_location::current()) {
  py4cast::emulation::barrier(place);
}
inline void __syncwarp(unsigned mask = 0xffffffffu,
                       std::source_location place = std::source_location::current()) {
  py4cast::emulation::warp_barrier(mask, place);
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32,
              std::source_location place = std::source_location::current()) {
  const unsigned lane = py4cast::emulation::lane_number(), w = static_cast<unsigned>(width);
  return py4cast::emulation::warp_read(mask, value, lane / w * w + static_cast<unsigned>(from) % w,
                                       "__shfl_sync", place);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32,
                  std::source_location place = std::source_location::current()) {
  const unsigned lane = py4cast::emulation::lane_number(), w = static_cast<unsigned>(width);
  const unsigned from = lane ^ static_cast<unsigned>(bits);
  return py4cast::emulation::warp_read(mask, value, from / w > lane / w ? lane : from,
                                       "__shfl_xor_sync", place);
}
// NOLINTEND(bugprone-reserved-identifier)
