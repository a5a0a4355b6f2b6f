// What the tests of stored fields share with the door of strangers' fields.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/fields/field_plane.h"

namespace py4cast {

// The number at an index of a plane of that type.
inline double stored_number(NumberType type, const void* numbers, int64_t at) {
  const auto as = [&](auto value) {
    std::memcpy(&value, static_cast<const char*>(numbers) + at * size_of(type), sizeof value);
    return static_cast<double>(value);
  };
  switch (type) {
    case NumberType::i8:
      return as(int8_t{});
    case NumberType::u8:
      return as(uint8_t{});
    case NumberType::i16:
      return as(int16_t{});
    case NumberType::u16:
      return as(uint16_t{});
    case NumberType::i32:
      return as(int32_t{});
    case NumberType::u32:
      return as(uint32_t{});
    case NumberType::f32:
      return as(float{});
  }
  return 0;
}

}  // namespace py4cast
