#include "tests/devices.h"

namespace py4cast {

bool emulated_gpu() {
#if PY4CAST_CUDA_EMULATED
  return true;
#else
  return false;
#endif
}

std::vector<std::string> devices() {
#if PY4CAST_CUDA
  return {"cpu", "cuda"};
#else
  return {"cpu"};
#endif
}

}  // namespace py4cast
