// Variables of files of any format that the CF conventions describe: numbers or texts on named
// dimensions, with attributes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "kernels/fields/field_plane.h"

namespace py4cast {

enum class ElementType { i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, text, other };

bool is_floating(ElementType type);
bool is_integer(ElementType type);
// Bytes of one number; 0 of texts and others.
size_t size_of(ElementType type);
const char* name_of(ElementType type);  // "i16"
// f(T()) with the C++ type of a numeric element type. Error(internal): it is not numeric.
template <typename Function>
void with_element_type(ElementType type, Function f);

struct CfAttribute {
  ElementType type = ElementType::other;
  std::string text;             // of a text attribute
  std::vector<double> numbers;  // of a numeric attribute
};

struct CfVariable {
  std::string name;
  std::vector<std::string> dimensions;
  std::vector<size_t> shape;
  ElementType type = ElementType::other;
  std::map<std::string, CfAttribute> attributes;
  // What numbers that were never written read as, in formats that count it as missing where
  // there is no _FillValue.
  std::optional<double> default_fill = {};
  std::string unreadable = {};  // why its numbers cannot be read here; empty: they can
  std::string role = {};        // VariableInfo::role
  // Its numbers outside of valid_min, valid_max and valid_range count: limits of coordinates are often stale.
  bool ignores_limits = false;

  bool is_numeric() const { return size_of(type) > 0; }
  // Why its numbers cannot be unpacked: `unreadable`, or an attribute such as scale_factor is a text,
  // is not finite or is 0. Empty: they can.
  std::string packing_problem() const;
  // Of CfFiles::read_stored. Error(data): see packing_problem.
  Packing packing() const;
  // The text of an attribute; empty if there is none.
  std::string text(const std::string& attribute) const;
  CfVariable as_coordinate() const;
  std::string describe_shape() const;  // "time 24 x latitude 33"
};

// What a file holds.
struct CfMetadata {
  std::string path;
  std::map<std::string, size_t> dimensions;
  std::vector<CfVariable> variables;
  std::map<std::string, CfAttribute> attributes;
  std::vector<std::string> groups;  // below the root; what they hold is not read

  const CfVariable* find(const std::string& name) const;  // null if there is none
};

template <typename Function>
void with_element_type(ElementType type, Function f) {
  // In the order of ElementType.
  using ElementTypes = std::tuple<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t,
                                  uint64_t, float, double>;
  const bool numeric = [&]<size_t... place>(std::index_sequence<place...>) {
    return ((static_cast<size_t>(type) == place &&
             (f(std::tuple_element_t<place, ElementTypes>()), true)) ||
            ...);
  }
  (std::make_index_sequence<std::tuple_size_v<ElementTypes>>());
  if (!numeric) throw Error(ErrorKind::internal, "elements of ", name_of(type), " are no numbers");
}

}  // namespace py4cast
