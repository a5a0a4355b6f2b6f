// What a kernel is: a struct of its arguments, with a body for each device; and what it sees: views
// that know their length.
#pragma once

#include <cstdint>

#include "engine/data_type.h"
#include "engine/device.h"

namespace py4cast {

// Kernels are overloads on these tags: a kernel that is missing for a device does not link.
template <CpuLevel level>
struct Cpu {};
struct Cuda {
  Stream stream;
};

// A kernel is an aggregate of its arguments, whose last line declares its bodies:
//   template <typename T> struct Negate { View<const T> x; View<T> y; PY4CAST_RUN };
// A .simd.cpp file defines run(Level), a .cu file run(Cuda); run_kernel (dispatch.h) fills the
// struct from tensors and calls the one that is asked for.
#define PY4CAST_RUN                           \
  void run(Cuda) const;                       \
  void run(Cpu<CpuLevel::baseline>) const;    \
  void run(Cpu<CpuLevel::avx2>) const;        \
  void run(Cpu<CpuLevel::avx512>) const;      \
  void run(Cpu<CpuLevel::avx512_bf16>) const; \
  void run(Cpu<CpuLevel::amx>) const;         \
  void run(Cpu<CpuLevel::amx_emulated>) const;

// At the end of a .simd.cpp or .cu file: what it defines of Kernel<T>, compiled for f32, f64, bf16.
#define PY4CAST_KERNEL(Kernel)    \
  template struct Kernel<float>;  \
  template struct Kernel<double>; \
  template struct Kernel<bfloat16>;

// The elements of a contiguous tensor.
template <typename T>
struct View {
  T* data;
  int64_t size;  // elements
  [[gnu::always_inline]] T& operator[](int64_t i) const { return data[i]; }
};

// Kernels compute in Compute<T>: float for bf16, else the element type itself. Parameters and
// statistics that go with a tensor of T are of this type (compute_type in engine/data_type.h).
template <typename T>
struct ComputeOf {
  using type = T;
};
template <>
struct ComputeOf<bfloat16> {
  using type = float;
};
template <typename T>
using Compute = typename ComputeOf<T>::type;

template <typename T>
[[gnu::always_inline]] constexpr Compute<T> widen(T x) {
  return static_cast<Compute<T>>(x);
}
// Rounds to nearest, ties to even.
template <typename T>
[[gnu::always_inline]] constexpr T narrow(Compute<T> x) {
  return T(x);
}

// Sums over rows are made in chunks whose number depends on the problem alone, never on the number
// of threads; the chunks' partial sums are then added in order. So the bits are those of one
// thread.
constexpr int64_t max_chunks = 64;
[[gnu::always_inline]] constexpr int64_t chunk_count(int64_t rows) {
  const int64_t chunks = (rows + 255) / 256;
  return chunks < max_chunks ? chunks : max_chunks;
}
// A GPU needs more chunks to have work for all of its multiprocessors.
inline int64_t chunk_count(Device device, int64_t rows) {
  if (device.kind == DeviceKind::cpu) return chunk_count(rows);
  const int64_t chunks = (rows + 127) / 128;
  return chunks < 1024 ? chunks : 1024;
}
[[gnu::always_inline]] constexpr int64_t chunk_begin(int64_t rows, int64_t chunks, int64_t chunk) {
  return rows * chunk / chunks;
}

}  // namespace py4cast
