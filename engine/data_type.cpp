#include "engine/data_type.h"

#include <bit>

namespace py4cast {

size_t size_of(DataType type) {
  switch (type) {
    case DataType::f64:
    case DataType::i64:
      return 8;
    case DataType::f32:
    case DataType::i32:
      return 4;
    case DataType::f16:
    case DataType::bf16:
      return 2;
  }
  return 0;
}

DataType compute_type(DataType type) {
  return type == DataType::bf16 ? DataType::f32 : type;
}

std::string_view name_of(DataType type) {
  switch (type) {
    case DataType::f64:
      return "f64";
    case DataType::f32:
      return "f32";
    case DataType::f16:
      return "f16";
    case DataType::bf16:
      return "bf16";
    case DataType::i32:
      return "i32";
    case DataType::i64:
      return "i64";
  }
  return "?";
}

float float_of_half(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16, exponent = (bits >> 10) & 31u,
                 mantissa = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  const float magnitude = exponent == 0
                              ? static_cast<float>(mantissa) * 0x1p-24f
                              : std::bit_cast<float>(((exponent + 112) << 23) | (mantissa << 13));
  return sign ? -magnitude : magnitude;
}

}  // namespace py4cast
