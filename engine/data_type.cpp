#include "engine/data_type.h"

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

}  // namespace py4cast
