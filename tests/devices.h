// The devices of tests that run on several.
#pragma once

#include <string>
#include <vector>

namespace py4cast {

// The GPU, if there is one, is emulated: tests give it little work.
#if PY4CAST_CUDA_EMULATED
constexpr bool emulated_gpu = true;
#else
constexpr bool emulated_gpu = false;
#endif

// "cpu", and "cuda" in a build for GPUs, where a missing one is a failure, or the emulated one.
inline std::vector<std::string> devices() {
#if PY4CAST_CUDA
  return {"cpu", "cuda"};
#else
  return {"cpu"};
#endif
}

}  // namespace py4cast
