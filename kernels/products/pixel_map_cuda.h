// For .cu files: which pixel of the operand goes with a pixel of the result (PixelMap). Indices are
// split in 32 bits where they fit (elementwise.h): this arithmetic is most of what the kernels do.
#pragma once

#include "kernels/common/elementwise.h"
#include "kernels/products/convolution_cuda.h"

namespace py4cast {
namespace {

struct Pixel {
  int64_t batch, at[3];
};
__device__ inline Pixel pixel_at(const PixelMap& map, int64_t index) {
  Pixel p;
  for (int axis = 2; axis >= 0; --axis) p.at[axis] = split_off(index, map.to[axis]);
  p.batch = index;
  return p;
}

// The operand's place on one axis for element k of the kernel; -1 outside.
__device__ inline int64_t source_place(const PixelMap& map, const Pixel& p, int axis, int64_t k) {
  int64_t i = p.at[axis] * map.step[axis] + k * map.tap_step[axis] + map.first[axis];
  if (i < 0) return -1;
  if (map.divisor[axis] > 1 && split_off(i, map.divisor[axis]) != 0) return -1;
  return i < map.from[axis] ? i : -1;
}

// An element of the kernel.
struct KernelElement {
  int64_t at[3];
};
__device__ inline KernelElement kernel_element(const PixelMap& map, int64_t slab) {
  KernelElement e;
  for (int axis = 2; axis >= 0; --axis) e.at[axis] = split_off(slab, map.kernel[axis]);
  return e;
}

// The operand's pixel; -1 outside.
__device__ inline int64_t source(const PixelMap& map, const Pixel& p, const KernelElement& e) {
  int64_t index = p.batch;
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t i = source_place(map, p, axis, e.at[axis]);
    if (i < 0) return -1;
    index = index * map.from[axis] + i;
  }
  return index;
}

// Calls f(slab, operand's pixel) for the elements of the kernel that lie inside, in order.
template <typename F>
__device__ void for_sources(const PixelMap& map, const Pixel& p, F f) {
  int64_t slab = 0;
  for (int64_t d = 0; d < map.kernel[0]; ++d) {
    const int64_t plane = source_place(map, p, 0, d);
    for (int64_t h = 0; h < map.kernel[1]; ++h) {
      const int64_t line = source_place(map, p, 1, h);
      const int64_t begin = ((p.batch * map.from[0] + plane) * map.from[1] + line) * map.from[2];
      for (int64_t w = 0; w < map.kernel[2]; ++w, ++slab) {
        const int64_t i = source_place(map, p, 2, w);
        if (plane >= 0 && line >= 0 && i >= 0) f(slab, begin + i);
      }
    }
  }
}

}  // namespace
}  // namespace py4cast
