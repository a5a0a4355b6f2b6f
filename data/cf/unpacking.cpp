#include "data/cf/unpacking.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>

#include "engine/error.h"

namespace py4cast {
namespace {

double as_stored(double value, ElementType type) {
  return type == ElementType::f32 ? static_cast<double>(static_cast<float>(value)) : value;
}

// The type of the numbers in memory, if they can stay as they are stored; `other`: with the other sign.
std::optional<NumberType> number_type(ElementType type, bool other) {
  switch (type) {
    case ElementType::i8:
    case ElementType::u8:
      return (type == ElementType::i8) == other ? NumberType::u8 : NumberType::i8;
    case ElementType::i16:
    case ElementType::u16:
      return (type == ElementType::i16) == other ? NumberType::u16 : NumberType::i16;
    case ElementType::i32:
    case ElementType::u32:
      return (type == ElementType::i32) == other ? NumberType::u32 : NumberType::i32;
    case ElementType::f32:
      return NumberType::f32;
    default:
      return {};
  }
}

bool is_signed_integer(ElementType type) {
  return type == ElementType::i8 || type == ElementType::i16 || type == ElementType::i32 ||
         type == ElementType::i64;
}

}  // namespace

std::vector<double> numbers_of(const CfVariable& v, const char* attribute) {
  const auto found = v.attributes.find(attribute);
  return found == v.attributes.end() ? std::vector<double>() : found->second.numbers;
}

std::string limits_of(const CfVariable& v) {
  std::ostringstream text;
  for (const char* name : {"valid_min", "valid_max", "valid_range"}) {
    const std::vector<double> numbers = numbers_of(v, name);
    for (size_t i = 0; i < numbers.size(); ++i)
      (i > 0 ? text << " ... " : text << (text.tellp() > 0 ? ", " : "") << name << " = ")
          << numbers[i];
  }
  return text.str();
}

Unpacking::Unpacking(const CfVariable& v) : type_(v.type) {
  if (const std::string problem = v.packing_problem(); !problem.empty())
    throw Error(ErrorKind::data, "variable '", v.name, "' cannot be read: ", problem);
  // Either way round, as xarray takes it.
  const std::string text = v.text("_Unsigned");
  const double range = std::ldexp(1.0, 8 * static_cast<int>(size_of(v.type)));
  if ((text == "true" || text == "True") && is_signed_integer(v.type)) wrap = range;
  if ((text == "false" || text == "False") && is_integer(v.type) && !is_signed_integer(v.type))
    wrap = -range;
  if (const auto n = numbers_of(v, "scale_factor"); !n.empty()) scale = n[0];
  if (const auto n = numbers_of(v, "add_offset"); !n.empty()) offset = n[0];
  packed_ = scale != 1 || offset != 0;
  for (const char* name : {"_FillValue", "missing_value"})
    for (double value : numbers_of(v, name)) add_missing(raw(as_stored(value, v.type)));
  if (numbers_of(v, "_FillValue").empty() && v.default_fill) add_missing(raw(*v.default_fill));
  if (v.ignores_limits) return;
  set_limit(v, "valid_min", 0, false);
  set_limit(v, "valid_max", 0, true);
  set_limit(v, "valid_range", 0, false);
  set_limit(v, "valid_range", 1, true);
}

double Unpacking::raw(double value) const {
  const bool other = wrap > 0 ? value < 0 : wrap < 0 && value >= -wrap / 2;
  return other ? value + wrap : value;
}

double Unpacking::operator()(double stored) const {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const double value = raw(stored);
  for (double m : missing)
    if (value == m) return nan;
  if (value < minimum || value > maximum) return nan;
  return value * scale + offset;
}

std::optional<Packing> Unpacking::packing() const {
  const auto stored = number_type(type_, wrap != 0);
  Packing packing{.scale = scale, .offset = offset, .minimum = minimum, .maximum = maximum};
  if (!stored || missing.size() > std::size(packing.missing)) return {};
  packing.type = *stored;
  std::ranges::copy(missing, packing.missing);
  return packing;
}

void Unpacking::add_missing(double value) {
  if (!std::isnan(value) && std::ranges::find(missing, value) == missing.end())
    missing.push_back(value);
}

// Limits have the type of the packed numbers; those of a packed variable that are written as
// floating-point numbers are limits of the physical values, which a negative scale turns around.
void Unpacking::set_limit(const CfVariable& v, const char* name, size_t index, bool upper) {
  const auto found = v.attributes.find(name);
  if (found == v.attributes.end() || found->second.numbers.size() <= index) return;
  const double value = found->second.numbers[index];
  if (std::isnan(value)) return;
  const bool physical = packed_ && is_floating(found->second.type) && is_integer(v.type);
  const bool turned = physical && scale < 0;
  (upper != turned ? maximum : minimum) =
      physical ? (value - offset) / scale : raw(as_stored(value, v.type));
}

std::string CfVariable::packing_problem() const {
  if (!unreadable.empty()) return unreadable;
  for (const char* attribute : packing_attributes)
    if (const std::string value = text(attribute); !value.empty())
      return "its attribute '" + std::string(attribute) + "' is the text '" + value +
             "', where a number is needed";
  for (const char* attribute : {"scale_factor", "add_offset"}) {
    if (const size_t count = numbers_of(*this, attribute).size(); count > 1)
      return "its attribute '" + std::string(attribute) + "' has " + std::to_string(count) +
             " numbers, where one is needed";
    for (const double value : numbers_of(*this, attribute))
      if (!std::isfinite(value) || (value == 0 && std::string_view(attribute) == "scale_factor"))
        return "its attribute '" + std::string(attribute) + "' is " + std::to_string(value);
  }
  return "";
}

Packing CfVariable::packing() const {
  return Unpacking(*this).packing().value_or(Packing{});
}

}  // namespace py4cast
