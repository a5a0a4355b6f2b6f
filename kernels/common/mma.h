// Tensor-core and asynchronous-copy instructions (sm_80 and later), one inline function each. Every
// one has a plain C++ branch for the emulated build, which follows the documented layout of lanes.
// Source: NVIDIA, "Parallel Thread Execution ISA", warp-level matrix instructions and cp.async.
#pragma once

#include <bit>

#include "kernels/common/cuda.h"

namespace py4cast {

// How a function takes a PY4CAST_SHARED array.
#if PY4CAST_CUDA_EMULATED
template <typename T>
using SharedView = const emulation::SharedArray<T>&;
#else
template <typename T>
using SharedView = T*;
#endif

// As for global memory: N neighbouring elements of shared memory in one access.
#if PY4CAST_CUDA_EMULATED
template <int N, typename T>
Pack<T, N> load_vector(const emulation::SharedArray<T>& x, emulation::Index index) {
  const T* from = x.pointer(index.i, N, false, index.place);
  if (reinterpret_cast<uintptr_t>(from) % sizeof(Pack<T, N>)) [[unlikely]]
    emulation::misaligned_vector(sizeof(Pack<T, N>), index.place);
  return *reinterpret_cast<const Pack<T, N>*>(from);
}
template <int N, typename T>
void store_vector(const emulation::SharedArray<T>& y, emulation::Index index,
                  const Pack<T, N>& values) {
  T* to = y.pointer(index.i, N, true, index.place);
  if (reinterpret_cast<uintptr_t>(to) % sizeof(values)) [[unlikely]]
    emulation::misaligned_vector(sizeof(values), index.place);
  *reinterpret_cast<Pack<T, N>*>(to) = values;
}
#else
template <int N, typename T>
__device__ Pack<T, N> load_vector(const T* x, int i) {
  return *reinterpret_cast<const Pack<T, N>*>(x + i);
}
template <int N, typename T>
__device__ void store_vector(T* y, int i, const Pack<T, N>& values) {
  *reinterpret_cast<Pack<T, N>*>(y + i) = values;
}
#endif

// The fp32 number with the nearest mantissa of 10 bits, ties away from zero, as its 32 bits.
__device__ inline uint32_t to_tf32(float value) {
#if PY4CAST_CUDA_EMULATED
  const auto word = std::bit_cast<uint32_t>(value);
  const bool finite = (word & 0x7f800000u) != 0x7f800000u;
  return finite ? (word + 0x1000u) & ~0x1fffu : word;
#else
  uint32_t word;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(value));
  return word;
#endif
}

// Two numbers rounded to bf16, to nearest, ties to even: cvt.rn.bf16x2.f32.
__device__ inline Pack<bfloat16, 2> to_bf16(float first, float second) {
#if PY4CAST_CUDA_EMULATED
  return {{bfloat16(first), bfloat16(second)}};
#else
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
  return __builtin_bit_cast(Pack<bfloat16, 2>, word);
#endif
}

// 2^x (ex2.approx) and 1 / x (rcp.approx), both within 2 ulp.
__device__ inline float power_of_two(float x) {
#if PY4CAST_CUDA_EMULATED
  return exp2f(x);
#else
  float y;
  asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}
__device__ inline float reciprocal(float x) {
#if PY4CAST_CUDA_EMULATED
  return 1 / x;
#else
  float y;
  asm("rcp.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

#if PY4CAST_CUDA_EMULATED
namespace emulation {
// What a lane gives to mma.sync: a[0 .. 3], b[0 .. 1]; and one of the words that a lane gave.
struct Fragments {
  uint32_t a[4], b[2];
};
inline uint32_t word_of(const WarpData& all, int lane, int word) {
  uint32_t result;
  std::memcpy(&result, all.lane(static_cast<unsigned>(lane)) + 4 * word, sizeof result);
  return result;
}
// d(row, column) += sum_k a(row, k) b(k, column), each lane its own four of d.
template <int depth, typename A, typename B>
void multiply(float (&d)[4], A&& a, B&& b) {
  const int lane = static_cast<int>(lane_number());
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < depth; ++k) d[i] += a(row, k) * b(k, column);
  }
}
inline float half_of(uint32_t pair, int which) {
  return std::bit_cast<float>(which ? pair & 0xffff0000u : pair << 16);
}
}  // namespace emulation
#endif

// d += a b with a 16 x 16, b 16 x 8 in bf16, d 16 x 8 in fp32: mma.sync m16n8k16, by all 32 lanes.
// Lane l, with g = l / 4 and t = l % 4, holds (pairs from the lower half of a word on):
//   a[0]: a(g, 2t .. 2t+1)    a[1]: a(g + 8, 2t .. 2t+1)
//   a[2]: a(g, 2t+8 .. 2t+9)  a[3]: a(g + 8, 2t+8 .. 2t+9)
//   b[0]: b(2t .. 2t+1, g)    b[1]: b(2t+8 .. 2t+9, g)
//   d[0..1]: d(g, 2t .. 2t+1) d[2..3]: d(g + 8, 2t .. 2t+1)
__device__ inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if PY4CAST_CUDA_EMULATED
  const emulation::Fragments own{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const auto all = emulation::warp_exchange(0xffffffffu, &own, sizeof own, "mma.sync",
                                            std::source_location::current());
  emulation::multiply<16>(
      d,
      [&](int row, int k) {
        const int lane = row % 8 * 4 + k % 8 / 2;
        return emulation::half_of(emulation::word_of(all, lane, row / 8 + k / 8 * 2), k % 2);
      },
      [&](int k, int column) {
        const int lane = column * 4 + k % 8 / 2;
        return emulation::half_of(emulation::word_of(all, lane, 4 + k / 8), k % 2);
      });
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// d += a b with a 16 x 8, b 8 x 8 in tf32, d 16 x 8 in fp32: mma.sync m16n8k8. With g and t as
// above:
//   a[0]: a(g, t)  a[1]: a(g + 8, t)  a[2]: a(g, t + 4)  a[3]: a(g + 8, t + 4)
//   b[0]: b(t, g)  b[1]: b(t + 4, g)  d as above
__device__ inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if PY4CAST_CUDA_EMULATED
  const emulation::Fragments own{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const auto all = emulation::warp_exchange(0xffffffffu, &own, sizeof own, "mma.sync",
                                            std::source_location::current());
  // The hardware reads the upper 19 bits alone.
  const auto value = [](uint32_t word) { return std::bit_cast<float>(word & ~0x1fffu); };
  emulation::multiply<8>(
      d,
      [&](int row, int k) {
        return value(emulation::word_of(all, row % 8 * 4 + k % 4, row / 8 + k / 4 * 2));
      },
      [&](int k, int column) {
        return value(emulation::word_of(all, column * 4 + k % 4, 4 + k / 4));
      });
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Four 8 x 8 matrices of bf16 from shared memory to registers: ldmatrix.x4. Lane l names row l % 8
// of matrix l / 8, eight elements from tile[index] on at an address that is a multiple of 16 bytes.
// Lane l gets of matrix i in words[i] the elements (l / 4, 2 (l % 4)) and the one to its right;
// `transposed` (.trans): (2 (l % 4), l / 4) and the one below.
template <bool transposed>
__device__ inline void load_matrices(uint32_t (&words)[4], SharedView<bfloat16> tile, int index) {
#if PY4CAST_CUDA_EMULATED
  const auto place = std::source_location::current();
  const bfloat16* row = tile.pointer(index, 8, false, place);
  if (reinterpret_cast<uintptr_t>(row) % 16)
    emulation::fault("ldmatrix at an address that is no multiple of 16", place);
  const auto all = emulation::warp_exchange(0xffffffffu, row, 16, "ldmatrix", place);
  const unsigned lane = emulation::lane_number(), g = lane / 4, t = lane % 4;
  for (unsigned i = 0; i < 4; ++i) {
    const auto element = [&](unsigned from, unsigned column) {
      uint16_t bits;
      std::memcpy(&bits, all.lane(8 * i + from) + 2 * column, sizeof bits);
      return uint32_t{bits};
    };
    words[i] = transposed ? element(2 * t, g) | element(2 * t + 1, g) << 16
                          : element(g, 2 * t) | element(g, 2 * t + 1) << 16;
  }
#else
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(tile + index));
  if constexpr (transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
#endif
}

// Begins to copy 16 bytes from global to shared memory (cp.async), both at multiples of 16 bytes;
// zeros if not `inside`, and then nothing is read. The emulated copy is made as late as allowed.
template <typename T>
__device__ inline void copy_async(SharedView<T> to, int index, Global<const T> from, int64_t first,
                                  bool inside) {
  constexpr int count = 16 / static_cast<int>(sizeof(T));
#if PY4CAST_CUDA_EMULATED
  const auto place = std::source_location::current();
  T* target = to.pointer(index, count, true, place);
  if (inside) load_vector<count>(from, first);  // checks bounds and alignment
  if (reinterpret_cast<uintptr_t>(target) % 16)
    emulation::fault("cp.async to an address that is no multiple of 16", place);
  emulation::begin_copy(to.block(), index, inside ? from.data + first : nullptr, place);
#else
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(to + index));
  const T* source = from.data + (inside ? first : 0);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(source),
               "r"(inside ? 16 : 0)
               : "memory");
  static_assert(count > 0);
#endif
}

// Closes the group of this thread's copies since the last one (cp.async.commit_group).
__device__ inline void copy_commit() {
#if PY4CAST_CUDA_EMULATED
  emulation::commit_copies();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits for all but the `newest` last groups of this thread's copies (cp.async.wait_group); other
// threads see them after a barrier.
template <int newest>
__device__ inline void copy_wait() {
#if PY4CAST_CUDA_EMULATED
  emulation::wait_for_copies(newest);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(newest) : "memory");
#endif
}

}  // namespace py4cast
