// The parts that data are cut into.
#pragma once

#include <string_view>

namespace py4cast {

enum class Split { train, valid, test };
constexpr std::string_view name_of(Split split) {
  return split == Split::train ? "train" : split == Split::valid ? "valid" : "test";
}

}  // namespace py4cast
