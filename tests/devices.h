// The devices of tests that run on several.
#pragma once

#include <string>
#include <vector>

namespace py4cast {

// The GPU, if there is one, is emulated: tests give it little work.
bool emulated_gpu();

// "cpu", and "cuda" in a build for GPUs, where a missing one is a failure, or the emulated one.
std::vector<std::string> devices();

}  // namespace py4cast
