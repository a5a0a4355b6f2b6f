// Where the tests find the repository and the programs: the build knows, and the environment of a
// test bundle on another machine overrules it.
#pragma once

#include <cstdlib>
#include <string>

namespace py4cast {

inline std::string place(const char* variable, const char* built) {
  const char* given = std::getenv(variable);
  return given ? given : built;
}

// The root of the repository, for files that it tracks: "config/dummy.json".
inline std::string repository() {
  return place("PY4CAST_TEST_REPOSITORY", PY4CAST_SOURCE_DIR);
}
// The folder of py4cast and py4cast_train.
inline std::string program_folder() {
  return place("PY4CAST_TEST_PROGRAMS", PY4CAST_BINARY_DIR);
}
// The folder of the programs that only tests start: "ranks".
inline std::string test_program_folder() {
  return place("PY4CAST_TEST_PROGRAMS", PY4CAST_TEST_BINARY_DIR);
}

}  // namespace py4cast
