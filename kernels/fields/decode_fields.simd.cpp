#include "kernels/common/simd.h"
#include "kernels/fields/decode_fields_kernels.h"
#include "kernels/fields/decode_math.h"

namespace py4cast {
namespace {

constexpr int64_t tile_points = 64, tile_channels = 16;

template <typename T>
PY4CAST_INLINE void decode_numbers(const FieldPlane& plane, const void* numbers, int64_t begin,
                                   int64_t count, float* values, float* valid) {
  const FieldPlane own = plane;
  const T* const from = static_cast<const T*>(numbers) + begin;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float physical = physical_value(own.packing, static_cast<double>(from[i]));
    const bool missing = physical != physical;
    values[i] = missing ? own.missing : standardised(own, physical);
    valid[i] = missing ? 0.0f : 1.0f;
  }
}

// Points [begin, begin + count) of one plane.
void decode_plane(const FieldPlane& plane, const void* numbers, int64_t begin, int64_t count,
                  float* values, float* valid) {
  if (plane.place < 0) {
    const bool missing = plane.constant != plane.constant;
    for (int64_t i = 0; i < count; ++i) {
      values[i] = plane.constant;
      valid[i] = missing ? 0.0f : 1.0f;
    }
    return;
  }
  switch (plane.packing.type) {
    case NumberType::i8:
      return decode_numbers<int8_t>(plane, numbers, begin, count, values, valid);
    case NumberType::u8:
      return decode_numbers<uint8_t>(plane, numbers, begin, count, values, valid);
    case NumberType::i16:
      return decode_numbers<int16_t>(plane, numbers, begin, count, values, valid);
    case NumberType::u16:
      return decode_numbers<uint16_t>(plane, numbers, begin, count, values, valid);
    case NumberType::i32:
      return decode_numbers<int32_t>(plane, numbers, begin, count, values, valid);
    case NumberType::u32:
      return decode_numbers<uint32_t>(plane, numbers, begin, count, values, valid);
    case NumberType::f32:
      return decode_numbers<float>(plane, numbers, begin, count, values, valid);
  }
}

typedef float Four __attribute__((vector_size(16)));

// to[point * stride + c] = tile[c][point]: squares of four, then what is left.
PY4CAST_INLINE void interleave(const float (*tile)[tile_points], int64_t points, int64_t channels,
                               int64_t stride, float* to) {
  int64_t c = 0;
  for (; c + 4 <= channels; c += 4) {
    int64_t point = 0;
    for (; point + 4 <= points; point += 4) {
      Four rows[4];
      for (int k = 0; k < 4; ++k) __builtin_memcpy(rows + k, tile[c + k] + point, sizeof(Four));
      const Four low = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5),
                 high = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7),
                 low2 = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5),
                 high2 = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
      const Four columns[4] = {__builtin_shufflevector(low, low2, 0, 1, 4, 5),
                               __builtin_shufflevector(low, low2, 2, 3, 6, 7),
                               __builtin_shufflevector(high, high2, 0, 1, 4, 5),
                               __builtin_shufflevector(high, high2, 2, 3, 6, 7)};
      for (int k = 0; k < 4; ++k)
        __builtin_memcpy(to + (point + k) * stride + c, columns + k, sizeof(Four));
    }
    for (; point < points; ++point)
      for (int64_t k = c; k < c + 4; ++k) to[point * stride + k] = tile[k][point];
  }
  for (; c < channels; ++c)
    for (int64_t point = 0; point < points; ++point) to[point * stride + c] = tile[c][point];
}

}  // namespace

void DecodeFrame::run(Level) const {
  alignas(64) float value_tile[tile_channels][tile_points], valid_tile[tile_channels][tile_points];
  const int64_t channels = planes.size;
  for (int64_t begin = 0; begin < points; begin += tile_points) {
    const int64_t count = smaller(tile_points, points - begin);
    if (all_valid)
      for (int64_t i = begin; i < begin + count; ++i) all_valid[i] = 1;
    for (int64_t first = 0; first < channels; first += tile_channels) {
      const int64_t width = smaller(tile_channels, channels - first),
                    corner = begin * channels + first;
      for (int64_t c = 0; c < width; ++c)
        decode_plane(planes[first + c], numbers[first + c], begin, count, value_tile[c],
                     valid_tile[c]);
      interleave(value_tile, count, width, channels, values + corner);
      if (valid) interleave(valid_tile, count, width, channels, valid + corner);
      if (!all_valid) continue;
      for (int64_t c = 0; c < width; ++c)
#pragma omp simd
        for (int64_t i = 0; i < count; ++i)
          all_valid[begin + i] = valid_tile[c][i] == 0 ? 0 : all_valid[begin + i];
    }
  }
}

}  // namespace py4cast
