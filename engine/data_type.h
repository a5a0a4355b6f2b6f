// Element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace py4cast {

// f16 exists in files only (safetensors); no op computes in it.
enum class DataType : uint8_t { f64, f32, f16, bf16, i32, i64 };

size_t size_of(DataType type);            // bytes of one element
std::string_view name_of(DataType type);  // "f32"
// What sums, parameters and statistics that go with tensors of a type are made of: f32 for bf16,
// else the type itself.
DataType compute_type(DataType type);

float float_of_half(uint16_t bits);  // IEEE 754 binary16

// The upper half of a float; conversion rounds to nearest, ties to even.
// Usable in kernels of every device.
struct bfloat16 {
  uint16_t bits;
  bfloat16() = default;
  [[gnu::always_inline]] constexpr explicit bfloat16(float value)
      : bits(rounded(__builtin_bit_cast(uint32_t, value))) {}
  [[gnu::always_inline]] constexpr explicit operator float() const {
    return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
  }

 private:
  [[gnu::always_inline]] static constexpr uint16_t rounded(uint32_t word) {
    const uint32_t nan = (word >> 16) | 0x40u,
                   number = (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
    return static_cast<uint16_t>((word & 0x7fffffffu) > 0x7f800000u ? nan : number);
  }
};

template <typename T>
struct DataTypeOf;
template <>
struct DataTypeOf<double> {
  static constexpr DataType value = DataType::f64;
};
template <>
struct DataTypeOf<float> {
  static constexpr DataType value = DataType::f32;
};
template <>
struct DataTypeOf<bfloat16> {
  static constexpr DataType value = DataType::bf16;
};
template <>
struct DataTypeOf<int32_t> {
  static constexpr DataType value = DataType::i32;
};
template <>
struct DataTypeOf<int64_t> {
  static constexpr DataType value = DataType::i64;
};
template <typename T>
inline constexpr DataType data_type_of = DataTypeOf<std::remove_const_t<T>>::value;

}  // namespace py4cast
