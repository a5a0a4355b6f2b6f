// Where the output pixels of a convolution are, and what they read. For CPU kernels.
#pragma once

#include "kernels/common/simd.h"
#include "kernels/products/convolution_kernels.h"

namespace py4cast {
namespace {

struct Pixel {
  int64_t at[4];  // batch and three axes of the sub-grid
};

PY4CAST_INLINE Pixel pixel_at(const Correlation& c, int64_t index) {
  Pixel p;
  for (int axis = 2; axis >= 0; --axis) {
    p.at[axis + 1] = index % c.out[axis];
    index /= c.out[axis];
  }
  p.at[0] = index;
  return p;
}

PY4CAST_INLINE void advance(const Correlation& c, Pixel& p, int64_t by) {
  p.at[3] += by;
  while (p.at[3] >= c.out[2]) {
    p.at[3] -= c.out[2];
    if (++p.at[2] == c.out[1]) {
      p.at[2] = 0;
      if (++p.at[1] == c.out[0]) {
        p.at[1] = 0;
        ++p.at[0];
      }
    }
  }
}

// Element of x, in pixels, that the tap reads for output pixel p; -1 outside.
PY4CAST_INLINE int64_t source(const Correlation& c, const Pixel& p, const Tap& tap) {
  int64_t index = p.at[0];
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t i = p.at[axis + 1] * c.in_step[axis] + tap.offset[axis];
    if (!inside(i, c.in[axis])) return -1;
    index = index * c.in[axis] + i;
  }
  return index;
}

PY4CAST_INLINE int64_t target(const Correlation& c, const Pixel& p) {
  int64_t index = p.at[0];
  for (int axis = 0; axis < 3; ++axis)
    index = index * c.out_size[axis] + p.at[axis + 1] * c.out_step[axis] + c.out_first[axis];
  return index;
}

// Row of x that the tap reads for row `row` (batch and two outer axes) of dy; -1 outside.
PY4CAST_INLINE int64_t source_row(const Correlation& c, int64_t row, const Tap& tap) {
  const int64_t h = row % c.out[1] * c.in_step[1] + tap.offset[1];
  const int64_t d = row / c.out[1] % c.out[0] * c.in_step[0] + tap.offset[0];
  if (!inside(h, c.in[1]) || !inside(d, c.in[0])) return -1;
  return (row / c.out[1] / c.out[0] * c.in[0] + d) * c.in[1] + h;
}

// What a multiply-add takes of bf16 (Operand): numbers already widened (float), or words of two
// pixels' numbers (uint32_t). gather_pixels: to[s, i] = channel i of pixel s, or of the pixels 2 s
// and 2 s + 1; zeros for count <= i < width, and for pixels outside, for which pixel(p) is null.
template <typename Operand>
constexpr int64_t pixels_together = 2;
template <>
constexpr int64_t pixels_together<float> = 1;
template <typename Operand, typename PixelAt>
PY4CAST_INLINE void gather_pixels(const PixelAt& pixel, int64_t pixels, int64_t count, Operand* to,
                                  int64_t width) {
  constexpr int64_t together = pixels_together<Operand>;
  for (int64_t p = 0; p < pixels; p += together, to += width) {
    const bfloat16* const first = pixel(p);
    for (int64_t i = count; i < width; ++i) to[i] = 0;
    if constexpr (together == 1) {
      if (first)
#pragma omp simd
        for (int64_t i = 0; i < count; ++i) to[i] = widen(first[i]);
      else
        for (int64_t i = 0; i < count; ++i) to[i] = 0;
    } else {
      const bfloat16* const second = p + 1 < pixels ? pixel(p + 1) : nullptr;
      if (first && second)
#pragma omp simd
        for (int64_t i = 0; i < count; ++i)
          to[i] = first[i].bits | static_cast<uint32_t>(second[i].bits) << 16;
      else
        for (int64_t i = 0; i < count; ++i)
          to[i] = (first ? first[i].bits : 0u) |
                  (second ? static_cast<uint32_t>(second[i].bits) << 16 : 0u);
    }
  }
}

}  // namespace
}  // namespace py4cast
