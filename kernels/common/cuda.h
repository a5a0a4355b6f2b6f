// What a .cu file stands on: launches, views of global memory, shared memory, sums. With nvcc it is
// CUDA; in the emulated build the same source is C++ (cuda_on_cpu.h).
#pragma once

#include <math.h>

#include <cstdint>
#include <source_location>
#include <tuple>
#include <utility>

#include "engine/cuda.h"
#include "engine/error.h"
#include "kernels/common/view.h"

#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cuda_on_cpu.h"
#else
#include "engine/cuda_runtime.h"
#endif

namespace py4cast {

// A pointer to device memory as kernels use it. Kernels take a Global rather than this, where they
// can.
template <typename T>
T* kernel_pointer(T* pointer) {
#if PY4CAST_CUDA_EMULATED
  return emulation::device_bytes(pointer);
#else
  return pointer;
#endif
}

// A kernel's view of `size` elements of global memory. Indices are checked in the emulated build.
template <typename T>
struct Global {
  T* data;
  int64_t size;

  Global() = default;
  Global(View<T> view) : data(kernel_pointer(view.data)), size(view.size) {}
  template <typename U>
  requires std::is_same_v<const U, T> Global(View<U> view)
      : data(kernel_pointer(view.data)), size(view.size) {}

#if PY4CAST_CUDA_EMULATED
  T& operator[](emulation::Index index) const {
    check(index.i, 1, index.place);
    return data[index.i];
  }
  void check(int64_t first, uint64_t count, std::source_location place) const {
    const auto begin = static_cast<uint64_t>(first), end = static_cast<uint64_t>(size);
    if (begin >= end || end - begin < count) [[unlikely]]
      emulation::leaves_view(first + static_cast<int64_t>(count) - 1, size, place);
  }
#else
  __device__ T& operator[](int64_t i) const {
    return data[i];
  }
#endif
};

// N neighbouring elements, aligned as a whole: read or written in one access where they have at most 16
// bytes (pack_size<T>), else in accesses of 16.
template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
  T values[N];
  __host__ __device__ T& operator[](int i) { return values[i]; }
  __host__ __device__ const T& operator[](int i) const { return values[i]; }
};
template <typename T>
constexpr int pack_size = 16 / static_cast<int>(sizeof(T));

#if PY4CAST_CUDA_EMULATED
template <int N, typename T>
auto load_vector(const Global<T>& x, emulation::Index index) {
  using Result = Pack<std::remove_const_t<T>, N>;
  x.check(index.i, N, index.place);
  if (reinterpret_cast<uintptr_t>(x.data + index.i) % sizeof(Result)) [[unlikely]]
    emulation::misaligned_vector(sizeof(Result), index.place);
  return *reinterpret_cast<const Result*>(x.data + index.i);
}
template <int N, typename T>
void store_vector(const Global<T>& y, emulation::Index index, const Pack<T, N>& values) {
  y.check(index.i, N, index.place);
  if (reinterpret_cast<uintptr_t>(y.data + index.i) % sizeof(values)) [[unlikely]]
    emulation::misaligned_vector(sizeof(values), index.place);
  *reinterpret_cast<Pack<T, N>*>(y.data + index.i) = values;
}
#else
template <int N, typename T>
__device__ auto load_vector(const Global<T>& x, int64_t i) {
  return *reinterpret_cast<const Pack<std::remove_const_t<T>, N>*>(x.data + i);
}
template <int N, typename T>
__device__ void store_vector(const Global<T>& y, int64_t i, const Pack<T, N>& values) {
  *reinterpret_cast<Pack<T, N>*>(y.data + i) = values;
}
#endif
// True if vectors of N elements fit: for views that are read so from every multiple of N.
template <int N, typename T>
bool aligned_for(View<T> x) {
  return reinterpret_cast<uintptr_t>(x.data) % (sizeof(T) * N) == 0;
}

// PY4CAST_SHARED(float, sums, 32); declares an array of the block's shared memory.
// PY4CAST_DYNAMIC_SHARED(float, tile); is the memory whose size the launch gives.
#if PY4CAST_CUDA_EMULATED
#define PY4CAST_SHARED(T, name, count)                                                \
  static const char name##_site = 0;                                                  \
  const ::py4cast::emulation::SharedArray<T> name(::py4cast::emulation::shared_block( \
      &name##_site, static_cast<size_t>(count), sizeof(T), std::source_location::current()))
#define PY4CAST_DYNAMIC_SHARED(T, name)            \
  const ::py4cast::emulation::SharedArray<T> name( \
      ::py4cast::emulation::dynamic_shared_block(sizeof(T), std::source_location::current()))
#else
#define PY4CAST_SHARED(T, name, count) __shared__ __align__(16) T name[count]
#define PY4CAST_DYNAMIC_SHARED(T, name)                           \
  extern __shared__ __align__(16) unsigned char py4cast_shared[]; \
  T* const name = reinterpret_cast<T*>(py4cast_shared)
#endif

// The stream of a launch, and where it was made.
struct Launch {
  Launch(Stream on, std::source_location at = std::source_location::current())
      : stream(on), place(at) {}
  Stream stream;
  std::source_location place;
};

#if PY4CAST_CUDA_EMULATED
// Views that a kernel gets are of device memory.
template <typename T>
void check_argument(const T&, std::source_location) {}
template <typename T>
void check_argument(const Global<T>& view, std::source_location place) {
  if (view.size > 0)
    emulation::check_device_memory(view.data, static_cast<size_t>(view.size) * sizeof(T), place);
}
#endif

// Every kernel begins with this. Its blocks may be started while the kernel before it still runs (on GPUs of
// compute capability 9.0 and later), which hides most of what a launch costs; here they wait until that one
// is done, and with it all before it, and let the next one start.
__device__ inline void after_earlier_work() {
#if !PY4CAST_CUDA_EMULATED && __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}
#if !PY4CAST_CUDA_EMULATED
// Whether kernels wait so: as they were compiled, all for the same architectures, whatever the GPU could do.
inline bool waits_for_earlier_work(const void* kernel) {
  static const bool does = [&] {
    cudaFuncAttributes attributes;
    check_cuda(cudaFuncGetAttributes(&attributes, kernel), "cudaFuncGetAttributes");
    return attributes.ptxVersion >= 90;
  }();
  return does;
}

// Lets a kernel have so many bytes, which with what it declares itself may be more than 48 KiB. The limit is
// never lowered: nodes of a captured graph may need it.
inline void allow_shared(const void* kernel, size_t bytes) {
  if (bytes == 0) return;
  cudaFuncAttributes attributes;
  check_cuda(cudaFuncGetAttributes(&attributes, kernel), "cudaFuncGetAttributes");
  if (attributes.maxDynamicSharedSizeBytes < static_cast<int>(bytes))
    check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(bytes)),
               "cudaFuncSetAttribute");
}
#endif

// launch(device.stream, kernel<float>, grid, block, shared_bytes, arguments...): arguments go by
// value; nothing happens for a grid of 0 blocks.
template <typename... P, typename... A>
void launch(Launch at, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
            A&&... arguments) {
  static_assert((std::is_trivially_copyable_v<P> && ...), "kernels take plain values");
  static_assert((sizeof(P) + ... + 0) <= 4096, "arguments of a kernel have at most 4096 bytes");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  std::tuple<P...> values(std::forward<A>(arguments)...);
#if PY4CAST_CUDA_EMULATED
  emulation::check_launch(grid, block, shared_bytes, (sizeof(P) + ... + 0), at.place);
  std::apply([&](const auto&... each) { (check_argument(each, at.place), ...); }, values);
  using Bound = std::pair<void (*)(P...), std::tuple<P...>>;
  emulation::enqueue(static_cast<cudaStream_t>(at.stream.handle), at.place.function_name(),
                     [bound = Bound(kernel, values), grid, block, shared_bytes, place = at.place] {
                       emulation::run_grid({[](const void* data) {
                                              const auto& own = *static_cast<const Bound*>(data);
                                              std::apply(own.first, own.second);
                                            },
                                            &bound},
                                           grid, block, shared_bytes, place);
                     });
#else
  const void* function = reinterpret_cast<const void*>(kernel);
  allow_shared(function, shared_bytes);
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(at.stream.handle);
  config.attrs = &early;
  config.numAttrs = waits_for_earlier_work(function) ? 1 : 0;
  std::apply(
      [&](auto&... each) {
        void* pointers[sizeof...(P) + 1] = {const_cast<void*>(static_cast<const void*>(&each))...};
        check_cuda(cudaLaunchKernelExC(&config, function, pointers), at.place.function_name());
      },
      values);
#endif
}

// Blocks of `threads` for n elements, one each: at most 2^31 - 1, so kernels stride over the grid.
inline unsigned blocks_for(int64_t n, int64_t threads) {
  const int64_t blocks = (n + threads - 1) / threads;
  return static_cast<unsigned>(blocks < 0x7fffffff ? blocks : 0x7fffffff);
}
// For kernels that do not stride. Error(shape): more than a grid can have.
inline unsigned checked_blocks(int64_t blocks) {
  if (blocks > 0x7fffffff)
    throw Error(ErrorKind::shape, "a kernel needs ", blocks, " blocks, and a GPU starts at most ",
                0x7fffffff);
  return static_cast<unsigned>(blocks);
}
// Of several tasks whose blocks are first[i] to first[i + 1] - 1, the one that has block `block`.
__device__ inline int own_of(const int* first, int count, int block) {
  int own = 0;
  for (int beyond = count; beyond - own > 1;) {
    const int middle = (own + beyond) / 2;
    (first[middle] <= block ? own : beyond) = middle;
  }
  return own;
}
__device__ inline int64_t global_index() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline int64_t grid_stride() {
  return static_cast<int64_t>(gridDim.x) * blockDim.x;
}

// The sum over the 32 lanes, in a fixed tree, in every lane.
template <typename T>
__device__ T warp_sum(T value) {
  for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(0xffffffffu, value, bits);
  return value;
}

// The sum over the block (one-dimensional, `threads` a multiple of 32), in a fixed order, in every
// thread. The same call site must not be passed by some threads only; it may be passed repeatedly.
template <int threads, typename T>
__device__ T block_sum(T value) {
  static_assert(threads % 32 == 0 && threads <= 1024);
  PY4CAST_SHARED(T, sums, 32);
  value = warp_sum(value);
  __syncthreads();  // of an earlier pass
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
  __syncthreads();
  T total = 0;
  for (int warp = 0; warp < threads / 32; ++warp) total += static_cast<T>(sums[warp]);
  return total;
}

}  // namespace py4cast
