#include "kernels/fields/decode_fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/op_note.h"
#include "kernels/common/dispatch.h"
#include "kernels/fields/decode_fields_kernels.h"

namespace py4cast {
namespace {

void check(const Context& context, const Tensor& stored, const Tensor& planes,
           const DecodedFields& to) {
  const Tensor& values = to.values;
  if (planes.type() != DataType::i64 || planes.rank() != 4 || planes.size(3) != plane_words)
    throw shape_error(context, "decode_fields: planes is ", name_of(planes.type()), " ",
                      planes.shape(), " but must be i64 [samples, frames, channels, ", plane_words,
                      "]");
  if (stored.rank() < 1 || stored.size(0) != planes.size(0))
    throw shape_error(context, "decode_fields: stored is ", stored.shape(), " but planes is ",
                      planes.shape());
  if (values.type() != DataType::f32 || values.rank() < 4 || values.size(0) != planes.size(0) ||
      values.size(1) != planes.size(1) || values.shape().back() != planes.size(2))
    throw shape_error(context, "decode_fields: values is ", name_of(values.type()), " ",
                      values.shape(), " but planes is ", planes.shape());
  if (to.valid.defined())
    check_same_shape(context, "decode_fields", "valid", to.valid, "values", values);
  if (to.all_valid.defined() && to.all_valid.shape() != values.shape().with(-1, 1))
    throw shape_error(context, "decode_fields: all_valid is ", to.all_valid.shape(),
                      " but values is ", values.shape());
}

// Frame after frame.
template <CpuLevel level>
void decode_all(Cpu<level> device, const DecodeFields& all) {
  const int64_t channels = all.planes.size / (all.samples * all.frames),
                points = all.values.size / all.planes.size,
                sample_bytes = all.stored.size / all.samples;
  std::vector<const void*> numbers(static_cast<size_t>(channels));
  for (int64_t frame = 0; frame < all.samples * all.frames; ++frame) {
    const View<const FieldPlane> own{all.planes.data + frame * channels, channels};
    const uint8_t* const from = all.stored.data + frame / all.frames * sample_bytes;
    for (int64_t c = 0; c < channels; ++c)
      numbers[static_cast<size_t>(c)] = own[c].place < 0 ? nullptr : from + own[c].place;
    const int64_t first = frame * points * channels;
    DecodeFrame{own,
                numbers.data(),
                points,
                all.values.data + first,
                all.valid.size ? all.valid.data + first : nullptr,
                all.all_valid.size ? all.all_valid.data + frame * points : nullptr}
        .run(device);
  }
}

}  // namespace

void decode_fields(const Context& context, const Tensor& stored, const Tensor& planes,
                   const DecodedFields& to) {
  check(context, stored, planes, to);
  if (to.values.numel() == 0) return;
  on_device<float>(context, "decode_fields", DataType::f32, [&](auto device, auto) {
    const View<const uint8_t> bytes{reinterpret_cast<const uint8_t*>(stored.raw()),
                                    static_cast<int64_t>(stored.bytes())};
    const View<const FieldPlane> all{reinterpret_cast<const FieldPlane*>(planes.raw()),
                                     planes.numel() / plane_words};
    const DecodeFields fields{bytes,
                              all,
                              planes.size(0),
                              planes.size(1),
                              view<float>(to.values),
                              view_or_none<float>(to.valid),
                              view_or_none<float>(to.all_valid)};
    if constexpr (std::is_same_v<decltype(device), Cuda>)
      fields.run(device);
    else
      decode_all(device, fields);
  });
  announce(context, {"decode_fields", 4 * static_cast<double>(to.values.numel()), {}},
           {stored, planes}, {to.values, to.valid, to.all_valid});
}

void decode_frame(CpuLevel level, std::span<const FieldPlane> planes,
                  std::span<const void* const> numbers, int64_t points, float* values, float* valid,
                  float* all_valid) {
  on_cpu<float>({.cpu_level = level}, "decode_frame", DataType::f32, [&](auto device, auto) {
    DecodeFrame{{planes.data(), static_cast<int64_t>(planes.size())},
                numbers.data(),
                points,
                values,
                valid,
                all_valid}
        .run(device);
  });
}

void unpack(CpuLevel level, const Packing& packing, const void* numbers, int64_t points,
            float* values) {
  const FieldPlane plane{.packing = packing, .place = 0, .missing = std::nanf("")};
  decode_frame(level, {&plane, 1}, {&numbers, 1}, points, values);
}

int64_t count_missing(CpuLevel level, const Packing& packing, const void* numbers, int64_t points) {
  std::array<float, 1024> values;
  constexpr auto most = static_cast<int64_t>(values.size());
  int64_t missing = 0;
  for (int64_t begin = 0; begin < points; begin += most) {
    const int64_t count = std::min(most, points - begin);
    unpack(level, packing, static_cast<const char*>(numbers) + begin * size_of(packing.type), count,
           values.data());
    missing += std::count_if(values.begin(), values.begin() + count,
                             [](float value) { return std::isnan(value); });
  }
  return missing;
}

}  // namespace py4cast
