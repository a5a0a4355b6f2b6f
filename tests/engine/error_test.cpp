#include "engine/error.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <new>
#include <stdexcept>

namespace py4cast {
namespace {

Failure failure_of(const auto& f) {
  try {
    f();
  } catch (...) {
    return current_failure();
  }
  return {};
}

TEST(Error, EveryExceptionHasItsSentenceAndExitCode) {
  const auto expect = [](const auto& f, const std::string& message, int exit_code) {
    const Failure failure = failure_of(f);
    EXPECT_EQ(failure.message, message);
    EXPECT_EQ(failure.exit_code, exit_code);
  };
  expect([] { throw Error(ErrorKind::data, "a.nc: ", 3, " times"); }, "a.nc: 3 times", 3);
  expect([] { throw std::bad_alloc(); }, "not enough memory", 5);
  expect([] { static_cast<void>(std::filesystem::file_size("/no/such/file")); },
         "/no/such/file: No such file or directory", 8);
  expect([] { throw std::out_of_range("at"); }, "internal error: at", 9);
  expect([] { throw 1; }, "internal error", 9);
}

}  // namespace
}  // namespace py4cast
