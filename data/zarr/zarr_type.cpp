#include "data/zarr/zarr_type.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/data_type.h"

namespace py4cast {
namespace {

struct NumericType {
  const char *version_2, *version_3;
  ElementType type;
  size_t size;
};
constexpr NumericType numeric_types[] = {
    {"b1", "bool", ElementType::u8, 1},     {"i1", "int8", ElementType::i8, 1},
    {"u1", "uint8", ElementType::u8, 1},    {"i2", "int16", ElementType::i16, 2},
    {"u2", "uint16", ElementType::u16, 2},  {"i4", "int32", ElementType::i32, 4},
    {"u4", "uint32", ElementType::u32, 4},  {"i8", "int64", ElementType::i64, 8},
    {"u8", "uint64", ElementType::u64, 8},  {"f2", "float16", ElementType::f32, 2},
    {"f4", "float32", ElementType::f32, 4}, {"f8", "float64", ElementType::f64, 8}};

// Of NumPy's units of time; empty: unknown, or of no fixed length.
std::string unit_of(const std::string& unit) {
  static const std::map<std::string, std::string> names = {
      {"ns", "nanoseconds"}, {"us", "microseconds"}, {"ms", "milliseconds"}, {"s", "seconds"},
      {"m", "minutes"},      {"h", "hours"},         {"D", "days"},          {"W", "weeks"}};
  const auto found = names.find(unit);
  return found == names.end() ? std::string() : found->second;
}

void set_time(ZarrType& type, const std::string& unit, bool date) {
  const std::string name = unit_of(unit);
  if (name.empty()) return;
  type.type = ElementType::i64;
  type.size = 8;
  type.units = name + (date ? " since 1970-01-01" : "");
}

// Texts longer than this are no names.
constexpr size_t longest_text = 1 << 16;

void set_text(ZarrType& type, ZarrText text, size_t bytes) {
  if (bytes > longest_text || (text == ZarrText::utf32 && bytes % 4 != 0)) return;
  type.type = ElementType::text;
  type.text = text;
  type.size = bytes;
}

size_t whole_number(std::string_view text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

// The bits of "0x7fc00000".
std::optional<uint64_t> bits_of(const Json& value) {
  if (!value.is_string()) return {};
  const auto& text = value.get_ref<const std::string&>();
  uint64_t bits = 0;
  if (!text.starts_with("0x")) return {};
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), bits, 16);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return bits;
}

template <typename T>
std::optional<T> element_of(const Json& value, bool half) {
  if (value.is_null()) return T{};
  if constexpr (std::is_integral_v<T>) {
    if (value.is_boolean()) return static_cast<T>(value.get<bool>());
    if (value.is_number_unsigned() && std::in_range<T>(value.get<uint64_t>()))
      return static_cast<T>(value.get<uint64_t>());
    if (value.is_number_integer() && !value.is_number_unsigned() &&
        std::in_range<T>(value.get<int64_t>()))
      return static_cast<T>(value.get<int64_t>());
    return {};
  } else {
    if (const auto bits = bits_of(value)) {
      if (half) return float_of_half(static_cast<uint16_t>(*bits));
      T number;
      std::memcpy(&number, &*bits, sizeof number);
      return number;
    }
    const auto number = zarr_number(value);
    return number ? std::optional(static_cast<T>(*number)) : std::nullopt;
  }
}

}  // namespace

ZarrType zarr_type_2(const Json& dtype) {
  ZarrType type;
  type.name = on_one_line(dtype);
  if (!dtype.is_string()) return type;
  const auto text = dtype.get<std::string>();
  if (text.size() < 3) return type;
  type.big_endian = text[0] == '>';
  const std::string kind = text.substr(1);
  for (const NumericType& known : numeric_types)
    if (kind == known.version_2) {
      type.type = known.type;
      type.size = known.size;
    }
  if (kind[0] == 'U') set_text(type, ZarrText::utf32, 4 * whole_number(kind.substr(1)));
  if (kind[0] == 'S') set_text(type, ZarrText::bytes, whole_number(kind.substr(1)));
  if ((kind.starts_with("M8[") || kind.starts_with("m8[")) && kind.ends_with(']'))
    set_time(type, kind.substr(3, kind.size() - 4), kind[0] == 'M');
  return type;
}

ZarrType zarr_type_3(const Json& data_type) {
  ZarrType type;
  type.name = on_one_line(data_type);
  const Json settings = data_type.is_object() ? data_type.value("configuration", Json()) : Json();
  const Json given = data_type.is_object() ? data_type.value("name", Json()) : data_type;
  if (!given.is_string()) return type;
  const auto name = given.get<std::string>();
  for (const NumericType& known : numeric_types)
    if (name == known.version_3) {
      type.type = known.type;
      type.size = known.size;
    }
  if (name == "string") {
    type.type = ElementType::text;
    type.text = ZarrText::variable;
  }
  if (!settings.is_object()) return type;
  if (const auto length = settings.find("length_bytes");
      length != settings.end() && length->is_number_unsigned()) {
    if (name == "fixed_length_utf32") set_text(type, ZarrText::utf32, length->get<size_t>());
    if (name == "null_terminated_bytes") set_text(type, ZarrText::bytes, length->get<size_t>());
  }
  if (const auto unit = settings.find("unit");
      unit != settings.end() && unit->is_string() && settings.value("scale_factor", Json(1)) == 1 &&
      (name == "numpy.datetime64" || name == "numpy.timedelta64"))
    set_time(type, unit->get<std::string>(), name == "numpy.datetime64");
  return type;
}

std::vector<std::byte> zarr_fill(ElementType type, bool half, const Json& value) {
  std::vector<std::byte> result;
  with_element_type(type, [&]<typename T>(T) {
    if (const auto element = element_of<T>(value, half)) {
      result.resize(sizeof(T));
      std::memcpy(result.data(), &*element, sizeof(T));
    }
  });
  return result;
}

std::optional<double> zarr_number(const Json& value) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
  if (value.is_number()) return value.get<double>();
  if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (value == "Infinity") return infinity;
  if (value == "-Infinity") return -infinity;
  return {};
}

std::optional<double> double_of_base64(std::string_view text) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() != 12 || text.back() != '=') return {};
  unsigned char bytes[9] = {};
  for (size_t i = 0; i < 11; ++i) {
    const size_t digit = digits.find(text[i]);
    if (digit == std::string_view::npos) return {};
    for (size_t bit = 0; bit < 6; ++bit)
      if (digit >> (5 - bit) & 1) {
        const size_t place = 6 * i + bit;
        bytes[place / 8] = static_cast<unsigned char>(bytes[place / 8] | 0x80 >> place % 8);
      }
  }
  double value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace py4cast
