#include "kernels/common/elementwise.h"
#include "kernels/fields/decode_fields_kernels.h"
#include "kernels/fields/decode_math.h"

namespace py4cast {
namespace {

// A tile of points x channels goes through shared memory: planes are read along the points, values
// written along the channels. One more than the points, so that neither meets the same banks.
constexpr int threads = 256, tile_points = 128, most_channels = 32, pitch = tile_points + 1;

template <typename T>
__device__ double number(const Global<const uint8_t>& stored, int64_t place, int64_t point) {
  constexpr int size = sizeof(T);
  return static_cast<double>(
      __builtin_bit_cast(T, load_vector<size>(stored, place + point * size)));
}

__device__ double stored_number(const Global<const uint8_t>& stored, const FieldPlane& plane,
                                int64_t point) {
  switch (plane.packing.type) {
    case NumberType::i8:
      return number<int8_t>(stored, plane.place, point);
    case NumberType::u8:
      return number<uint8_t>(stored, plane.place, point);
    case NumberType::i16:
      return number<int16_t>(stored, plane.place, point);
    case NumberType::u16:
      return number<uint16_t>(stored, plane.place, point);
    case NumberType::i32:
      return number<int32_t>(stored, plane.place, point);
    case NumberType::u32:
      return number<uint32_t>(stored, plane.place, point);
    case NumberType::f32:
      break;
  }
  return number<float>(stored, plane.place, point);
}

struct Sizes {
  int64_t points, channels;
  int64_t frames, sample_bytes;  // of a sample
  int width;                     // channels of a tile
};

// Block: a tile of points of a frame. Dynamic shared memory: a tile of values, and one
// of what is valid if anybody wants to know.
__global__ void __launch_bounds__(threads)
    decode(Sizes sizes, Global<const uint8_t> stored, Global<const FieldPlane> planes,
           Global<float> values, Global<float> valid, Global<float> all_valid) {
  after_earlier_work();
  PY4CAST_DYNAMIC_SHARED(float, tile);
  const bool masked = valid.size > 0 || all_valid.size > 0;
  const int own = static_cast<int>(threadIdx.x), valid_tile = sizes.width * pitch;
  int64_t frame = blockIdx.x;
  const int64_t first_point =
                    split_off(frame, (sizes.points + tile_points - 1) / tile_points) * tile_points,
                left = sizes.points - first_point;
  const int count = left < tile_points ? static_cast<int>(left) : tile_points;
  bool whole = true;  // all channels of point `own` so far
  const int64_t sample = quotient(frame, sizes.frames) * sizes.sample_bytes;
  for (int64_t first = 0; first < sizes.channels; first += sizes.width) {
    const int64_t rest = sizes.channels - first;
    const int width = rest < sizes.width ? static_cast<int>(rest) : sizes.width;
    for (int c = own / 32; c < width; c += threads / 32) {
      FieldPlane plane = planes[frame * sizes.channels + first + c];
      if (plane.place >= 0) plane.place += sample;
#pragma unroll
      for (int k = 0; k < tile_points; k += 32) {
        const int point = k + own % 32;
        if (point >= count) continue;
        float value = plane.constant;
        bool missing = value != value;
        if (plane.place >= 0) {
          const float physical =
              physical_value(plane.packing, stored_number(stored, plane, first_point + point));
          missing = physical != physical;
          value = missing ? plane.missing : standardised(plane, physical);
        }
        tile[c * pitch + point] = value;
        if (masked) tile[valid_tile + c * pitch + point] = missing ? 0.0f : 1.0f;
      }
    }
    __syncthreads();
    const int64_t corner = (frame * sizes.points + first_point) * sizes.channels + first;
    for (int i = own; i < count * width; i += threads) {
      const int point = i / width, c = i - point * width, from = c * pitch + point;
      const int64_t to = corner + point * sizes.channels + c;
      values[to] = tile[from];
      if (valid.size > 0) valid[to] = tile[valid_tile + from];
    }
    if (all_valid.size > 0 && own < count)
      for (int c = 0; c < width; ++c)
        whole = whole && static_cast<float>(tile[valid_tile + c * pitch + own]) != 0;
    __syncthreads();
  }
  if (all_valid.size > 0 && own < count)
    all_valid[frame * sizes.points + first_point + own] = whole ? 1.0f : 0.0f;
}

}  // namespace

void DecodeFields::run(Cuda device) const {
  const int64_t channels = planes.size / (samples * frames), points = values.size / planes.size;
  // As wide tiles as fit, all about equally wide.
  const int64_t tiles = (channels + most_channels - 1) / most_channels;
  const auto width = static_cast<int>((channels + tiles - 1) / tiles);
  const Sizes sizes{points, channels, frames, stored.size / samples, width};
  const bool masked = valid.size || all_valid.size;
  const size_t shared = static_cast<size_t>(sizes.width * pitch) * sizeof(float) * (masked ? 2 : 1);
  launch(device.stream, decode,
         checked_blocks((points + tile_points - 1) / tile_points * samples * frames), threads,
         shared, sizes, stored, planes, values, valid, all_valid);
}

}  // namespace py4cast
