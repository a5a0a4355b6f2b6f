// A field as it is stored, and what becomes of it: for kernels of every device.
#pragma once

#include <cstdint>

namespace py4cast {

enum class NumberType : int32_t { i8, u8, i16, u16, i32, u32, f32 };

[[gnu::always_inline]] constexpr int64_t size_of(NumberType type) {
  return type <= NumberType::u8 ? 1 : type <= NumberType::u16 ? 2 : 4;
}

// From stored numbers to physical values: f32(stored * scale + offset), computed in f64. A value is
// missing (NaN) where the stored number is one of `missing` or lies outside [minimum, maximum], and
// where the result is NaN.
struct Packing {
  NumberType type = NumberType::f32;
  double scale = 1, offset = 0;
  double minimum = -__builtin_inf(), maximum = __builtin_inf();
  double missing[4] = {__builtin_nan(""), __builtin_nan(""), __builtin_nan(""), __builtin_nan("")};
};

// One channel of one frame (a state or the forcings of one time): f32((physical - mean) * factor),
// computed in f64.
struct FieldPlane {
  Packing packing;
  int64_t place = -1;  // of the numbers [bytes], from the sample's first; negative: `constant`
  double mean = 0, factor = 1;
  float missing = 0;   // stands for missing values
  float constant = 0;  // of a plane without numbers, at every point; NaN counts as missing
};
// In tensors a plane is so many i64.
constexpr int64_t plane_words = sizeof(FieldPlane) / sizeof(int64_t);

}  // namespace py4cast
