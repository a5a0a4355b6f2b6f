// The devices of tests that run on several.
#pragma once

#include <string>
#include <vector>

#include "engine/cuda.h"

namespace py4cast {

// The GPU, if there is one, is emulated: tests give it little work.
#if PY4CAST_CUDA_EMULATED
constexpr bool emulated_gpu = true;
#else
constexpr bool emulated_gpu = false;
#endif

// "cpu", and "cuda" where there is a GPU or an emulated one.
inline std::vector<std::string> devices() {
  return cuda_devices().empty() ? std::vector<std::string>{"cpu"}
                                : std::vector<std::string>{"cpu", "cuda"};
}

}  // namespace py4cast
