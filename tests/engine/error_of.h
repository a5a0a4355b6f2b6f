// What a refusal says.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "engine/error.h"

namespace py4cast {

// The sentence of the Error that the action throws, which must be of that kind if one is named; "no
// error" where it throws none.
template <typename Action>
std::string error_of(Action&& action, std::optional<ErrorKind> kind = {}) {
  try {
    action();
  } catch (const Error& error) {
    if (kind) {
      EXPECT_EQ(error.kind(), *kind) << error.what();
    }
    return error.what();
  }
  return "no error";
}

}  // namespace py4cast
