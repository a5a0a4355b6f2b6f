#include "kernels/fields/decode_fields.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/random.h"
#include "tests/kernels/fields/stored_number.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

// What decode_fields should make of a number, in plain double precision.
struct Expected {
  float value;
  bool missing;
};
Expected expected_of(const FieldPlane& plane, double stored, bool fused = false) {
  const Packing& p = plane.packing;
  bool missing = stored < p.minimum || stored > p.maximum;
  for (const double m : p.missing) missing = missing || stored == m;
  volatile double product = stored * p.scale;
  const double value = fused ? std::fma(stored, p.scale, p.offset) : product + p.offset;
  const auto physical = static_cast<float>(value);
  if (missing || std::isnan(physical)) return {plane.missing, true};
  const double centred = static_cast<double>(physical) - plane.mean;
  return {static_cast<float>(centred * plane.factor), false};
}

// Planes of every type, packed and plain, with missing values, in one block of bytes.
class Fields {
 public:
  Fields(int64_t samples, int64_t frames, int64_t points, int64_t channels)
      : shape_{samples, frames, points, channels},
        planes(host_tensor({samples, frames, channels, plane_words}, DataType::i64)),
        stored(host_tensor({samples, (frames * points * channels * 4 + 7) / 8}, DataType::i64)) {
    for (int64_t i = 0; i < samples * frames * channels; ++i) {
      if (i % (frames * channels) == 0) next_ = 0;
      add(i);
    }
  }

  FieldPlane& plane(int64_t i) const { return reinterpret_cast<FieldPlane*>(planes.raw())[i]; }
  double number(int64_t i, int64_t point) const {
    const FieldPlane& own = plane(i);
    return stored_number(own.packing.type, numbers_of(i) + own.place, point);
  }
  Expected expected(int64_t i, int64_t point, bool fused = false) const {
    const FieldPlane& own = plane(i);
    if (own.place < 0) return {own.constant, std::isnan(own.constant)};
    return expected_of(own, number(i, point), fused);
  }
  std::byte* numbers_of(int64_t i) const {  // of the sample of plane i
    return stored.raw() + i / (shape_[1] * shape_[3]) * stored.size(1) * 8;
  }
  const Shape shape_;  // samples, frames, points, channels
  Tensor planes, stored;

 private:
  void add(int64_t i) {
    FieldPlane& own = plane(i);
    own = {};
    if (i % 9 == 8) {
      own.constant = i % 2 ? nan_value : 0.75f;
      own.missing = own.constant;
      return;
    }
    own.packing.type = static_cast<NumberType>(i % 7);
    own.place = next_;
    own.mean = 271.3 + 0.1 * static_cast<double>(i);
    own.factor = 1 / (3.7 + static_cast<double>(i % 5));
    own.missing = i % 3 == 2 ? nan_value : 0;
    const int64_t points = shape_[2], size = size_of(own.packing.type);
    const RandomKey key{77, static_cast<uint64_t>(i)};
    for (int64_t point = 0; point < points; ++point) {
      const uint64_t bits =
          static_cast<uint64_t>(key.uniform(static_cast<uint64_t>(point)) * 4294967296.0);
      const auto float_bits = std::bit_cast<uint32_t>(
          static_cast<float>(260 + 30 * key.uniform(static_cast<uint64_t>(points + point))));
      const uint32_t word =
          own.packing.type == NumberType::f32 ? float_bits : static_cast<uint32_t>(bits);
      std::memcpy(numbers_of(i) + next_ + point * size, &word, static_cast<size_t>(size));
    }
    if (i % 4) {
      own.packing.scale = 0.00123 * static_cast<double>(i % 4);
      own.packing.offset = 263.15;
    }
    if (i % 4 == 1) {  // what is left of the first number is its rounding
      own.packing.offset = -(number(i, 0) * own.packing.scale);
      own.mean = 0;
    }
    spoil(i);
    next_ += (points * size + 3) / 4 * 4;
  }
  // Some values become missing, each way that there is.
  void spoil(int64_t i) {
    FieldPlane& own = plane(i);
    const int64_t points = shape_[2];
    own.packing.missing[i % 4] = number(i, points / 2);
    own.packing.missing[(i + 1) % 4] = number(i, points / 3);
    if (i % 5 == 1) own.packing.minimum = number(i, points / 5);
    if (i % 5 == 2) own.packing.maximum = number(i, points / 7);
    if (own.packing.type != NumberType::f32) return;
    const float special[] = {nan_value, INFINITY, -INFINITY, -0.0f, 1e38f, 1e-40f};
    for (int64_t k = 0; k < 6 && 2 * k < points; ++k)
      std::memcpy(numbers_of(i) + own.place + 8 * k, special + k, sizeof(float));
  }

  int64_t next_ = 0;
};

// Bits, for which NaN is equal to NaN whatever its sign.
uint32_t bits_of(float value) {
  return std::isnan(value) ? 0x7fc00000u : std::bit_cast<uint32_t>(value);
}

void check_decoding(const Fields& fields) {
  const auto samples = fields.shape_[0], frames = fields.shape_[1], points = fields.shape_[2],
             channels = fields.shape_[3];
  for_each_device([&](Context& context) {
    const auto filled = [&](const Shape& shape, float value) {
      Tensor tensor = host_tensor(shape, DataType::f32);
      std::ranges::fill(tensor.span<float>(), value);
      return to_device(tensor, context.device);
    };
    const DecodedFields to{.values = filled(fields.shape_, -7),
                           .valid = filled(fields.shape_, -7),
                           .all_valid = filled({samples, frames, points, 1}, -7)};
    const Tensor stored = to_device(fields.stored, context.device),
                 planes = to_device(fields.planes, context.device);
    decode_fields(context, stored, planes, to);
    const Tensor values = host_copy(to.values), valid = host_copy(to.valid),
                 all_valid = host_copy(to.all_valid);
    std::vector<float> all(static_cast<size_t>(samples * frames * points), 1.0f);
    int64_t wrong = 0;
    for (int64_t frame = 0; frame < samples * frames; ++frame)
      for (int64_t point = 0; point < points; ++point)
        for (int64_t c = 0; c < channels; ++c) {
          const Expected expected = fields.expected(frame * channels + c, point);
          const int64_t at = (frame * points + point) * channels + c;
          wrong += bits_of(values.data<float>()[at]) != bits_of(expected.value);
          wrong += valid.data<float>()[at] != (expected.missing ? 0.0f : 1.0f);
          if (expected.missing) all[static_cast<size_t>(frame * points + point)] = 0;
        }
    EXPECT_EQ(wrong, 0) << fields.shape_;
    EXPECT_TRUE(std::ranges::equal(all_valid.span<float>(), all)) << fields.shape_;
    const Tensor again = filled(fields.shape_, -7);  // without masks
    decode_fields(context, stored, planes, {.values = again});
    EXPECT_EQ(std::memcmp(host_copy(again).raw(), values.raw(), values.bytes()), 0);
  });
}

TEST(DecodeFields, EqualsPlainDoublePrecisionBitForBit) {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 3, 31, 5}, Shape{1, 2, 128, 9},
                             Shape{3, 1, 129, 33}, Shape{1, 1, 300, 70}})
    check_decoding(Fields(shape[0], shape[1], shape[2], shape[3]));
}

TEST(DecodeFields, TheCasesTellAFusedMultiplyAdd) {
  const Fields fields(1, 1, 300, 70);
  int64_t different = 0;
  for (int64_t c = 0; c < 70; ++c)
    for (int64_t point = 0; point < 300; ++point)
      different += bits_of(fields.expected(c, point).value) !=
                   bits_of(fields.expected(c, point, true).value);
  EXPECT_GT(different, 0);
}

TEST(DecodeFields, OneFrameAnywhereInHostMemory) {
  const int64_t points = 77;
  const Fields fields(1, 1, points, 20);
  std::vector<const void*> numbers;
  for (int64_t c = 0; c < 20; ++c)
    numbers.push_back(fields.plane(c).place < 0 ? nullptr
                                                : fields.stored.raw() + fields.plane(c).place);
  for (const CpuLevel level : cpu_levels()) {
    std::vector<float> values(points * 20), all_valid(points, -7.0f);
    decode_frame(level, {&fields.plane(0), 20}, numbers, points, values.data(), nullptr,
                 all_valid.data());
    for (int64_t point = 0; point < points; ++point) {
      bool whole = true;
      for (int64_t c = 0; c < 20; ++c) {
        const Expected expected = fields.expected(c, point);
        EXPECT_EQ(bits_of(values[static_cast<size_t>(point * 20 + c)]), bits_of(expected.value));
        whole = whole && !expected.missing;
      }
      EXPECT_EQ(all_valid[static_cast<size_t>(point)], whole ? 1 : 0);
    }
  }
}

TEST(DecodeFields, PhysicalValuesAndWhatIsMissingOfThem) {
  std::vector<int16_t> numbers(3000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int16_t>(17 * i);
  numbers[5] = numbers[2999] = -1;
  numbers[1024] = 32000;
  const Packing packing{.type = NumberType::i16,
                        .scale = 0.01,
                        .offset = 273.15,
                        .minimum = -infinity,
                        .maximum = 31999,
                        .missing = {-1, infinity, infinity, infinity}};
  int64_t missing = 0;
  for (const int16_t number : numbers) missing += number == -1 || number > 31999;
  for (const CpuLevel level : cpu_levels()) {
    std::vector<float> values(numbers.size());
    unpack(level, packing, numbers.data(), 3000, values.data());
    EXPECT_EQ(values[3], static_cast<float>(51 * 0.01 + 273.15));
    EXPECT_TRUE(std::isnan(values[5]) && std::isnan(values[1024]) && std::isnan(values[2999]));
    EXPECT_EQ(count_missing(level, packing, numbers.data(), 3000), missing);
  }
}

TEST(DecodeFields, NamesShapesThatDoNotFit) {
  Context context;
  const auto f32 = [](const Shape& shape) { return host_tensor(shape, DataType::f32); };
  const Tensor planes = host_tensor({1, 2, 3, plane_words}, DataType::i64), stored = f32({1, 100});
  EXPECT_EQ(error_of([&] {
              decode_fields(context, f32({2, 100}), planes, {.values = f32({1, 2, 4, 3})});
            }),
            "decode_fields: stored is [2, 100] but planes is [1, 2, 3, 13]");
  const auto refusal = [&](const Tensor& by, const DecodedFields& to) {
    return error_of([&] { decode_fields(context, stored, by, to); });
  };
  EXPECT_NE(refusal(f32({1, 2, 3, plane_words}), {.values = f32({1, 2, 4, 3})})
                .find("decode_fields: planes is f32 [1, 2, 3, "),
            std::string::npos);
  EXPECT_NE(refusal(planes, {.values = f32({1, 2, 4, 5})})
                .find("decode_fields: values is f32 [1, 2, 4, 5] but planes is [1, 2, 3, "),
            std::string::npos);
  EXPECT_NE(refusal(planes, {.values = f32({1, 2, 4, 3}), .valid = f32({1, 2, 4})}), "");
  EXPECT_EQ(refusal(planes, {.values = f32({1, 2, 4, 3}), .all_valid = f32({1, 4, 1})}),
            "decode_fields: all_valid is [1, 4, 1] but values is [1, 2, 4, 3]");
}

}  // namespace
}  // namespace py4cast::testing
