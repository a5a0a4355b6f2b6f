#include "data/weather/missing_points.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

namespace py4cast {
namespace {

template <typename T>
std::optional<T> missing_number(const Packing& packing) {
  if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::quiet_NaN();
  const auto& codes = packing.missing;
  for (const double number : {codes[0], codes[1], codes[2], codes[3],
                              std::ceil(packing.minimum) - 1, std::floor(packing.maximum) + 1})
    if (number == std::trunc(number) && number >= std::numeric_limits<T>::lowest() &&
        number <= std::numeric_limits<T>::max())
      return static_cast<T>(number);
  return {};
}

template <typename T>
bool write_missing(const Packing& packing, const std::vector<bool>& points, std::byte* numbers) {
  const std::optional<T> number = missing_number<T>(packing);
  if (!number) return false;
  for (size_t i = 0; i < points.size(); ++i)
    if (points[i]) std::memcpy(numbers + i * sizeof(T), &*number, sizeof(T));
  return true;
}

}  // namespace

bool make_missing(const Packing& packing, const std::vector<bool>& points, std::byte* numbers) {
  switch (packing.type) {
    case NumberType::i8:
      return write_missing<int8_t>(packing, points, numbers);
    case NumberType::u8:
      return write_missing<uint8_t>(packing, points, numbers);
    case NumberType::i16:
      return write_missing<int16_t>(packing, points, numbers);
    case NumberType::u16:
      return write_missing<uint16_t>(packing, points, numbers);
    case NumberType::i32:
      return write_missing<int32_t>(packing, points, numbers);
    case NumberType::u32:
      return write_missing<uint32_t>(packing, points, numbers);
    case NumberType::f32:
      return write_missing<float>(packing, points, numbers);
  }
  return false;
}

}  // namespace py4cast
