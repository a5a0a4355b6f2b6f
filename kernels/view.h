// What a kernel sees: the tag of its device, and views that know their length.
#pragma once

#include <cstdint>

#include "engine/device.h"

namespace py4cast {

// Kernels are overloads on these tags: a kernel that is missing for a device does not link.
template <CpuLevel level>
struct Cpu {};
struct Cuda {
  Stream stream;
};

// The elements of a contiguous tensor.
template <typename T>
struct View {
  T* data;
  int64_t size;  // elements
  [[gnu::always_inline]] T& operator[](int64_t i) const { return data[i]; }
};

// Sums over rows are made in chunks whose number depends on the problem alone, never on the number
// of threads; the chunks' partial sums are then added in order. So the bits are those of one
// thread.
constexpr int64_t max_chunks = 64;
[[gnu::always_inline]] inline int64_t chunk_count(int64_t rows) {
  const int64_t chunks = (rows + 255) / 256;
  return chunks < max_chunks ? chunks : max_chunks;
}
[[gnu::always_inline]] inline int64_t chunk_begin(int64_t rows, int64_t chunks, int64_t chunk) {
  return rows * chunk / chunks;
}

}  // namespace py4cast
