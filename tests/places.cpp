#include "tests/places.h"

#include <cstdlib>

namespace py4cast {
namespace {

std::string place(const char* variable, const char* built) {
  const char* given = std::getenv(variable);
  return given ? given : built;
}

}  // namespace

std::string repository() {
  return place("PY4CAST_TEST_REPOSITORY", PY4CAST_SOURCE_DIR);
}
std::string program_folder() {
  return place("PY4CAST_TEST_PROGRAMS", PY4CAST_BINARY_DIR);
}
std::string test_program_folder() {
  return place("PY4CAST_TEST_PROGRAMS", PY4CAST_BINARY_DIR "/tests");
}
std::string mpirun(int ranks) {
  // The slow stack traces reach the frames by which .ci/lsan.supp knows what Open MPI leaves behind.
  return "ASAN_OPTIONS=$ASAN_OPTIONS:fast_unwind_on_malloc=0 mpirun --allow-run-as-root "
         "--oversubscribe --bind-to none -np " +
         std::to_string(ranks) + " ";
}

}  // namespace py4cast
