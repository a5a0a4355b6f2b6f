#include "data/cf/cf_variable.h"

#include "data/cf/unpacking.h"

namespace py4cast {

bool is_floating(ElementType type) {
  return type == ElementType::f32 || type == ElementType::f64;
}

bool is_integer(ElementType type) {
  return type <= ElementType::u64;
}

size_t size_of(ElementType type) {
  static constexpr size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 0, 0};
  return sizes[static_cast<size_t>(type)];
}

const char* name_of(ElementType type) {
  static constexpr const char* names[] = {"i8",  "u8",  "i16", "u16", "i32",  "u32",
                                          "i64", "u64", "f32", "f64", "text", "another type"};
  return names[static_cast<size_t>(type)];
}

std::string CfVariable::text(const std::string& attribute) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? std::string() : found->second.text;
}

CfVariable CfVariable::as_coordinate() const {
  CfVariable coordinate = *this;
  coordinate.ignores_limits = true;
  return coordinate;
}

std::string CfVariable::describe_shape() const {
  std::string result;
  for (size_t d = 0; d < shape.size(); ++d)
    result += (d ? " x " : "") + dimensions[d] + " " + std::to_string(shape[d]);
  return result.empty() ? "a single value" : result;
}

const CfVariable* CfMetadata::find(const std::string& name) const {
  for (const CfVariable& variable : variables)
    if (variable.name == name) return &variable;
  return nullptr;
}

}  // namespace py4cast
