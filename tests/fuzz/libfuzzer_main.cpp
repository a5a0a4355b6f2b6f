// The driver of libFuzzer, which brings its own main().
#include <cstddef>
#include <cstdint>

#include "engine/error.h"
#include "tests/fuzz/door.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    py4cast::enter({reinterpret_cast<const char*>(data), size});
  } catch (const py4cast::Error&) {  // the answer to what is wrong
  }
  return 0;
}
