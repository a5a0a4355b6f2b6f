// The arithmetic of a run.
#pragma once

#include <string>

#include "engine/runtime.h"

namespace py4cast {

// The precision of all contexts of a run: "fp32", "tf32", "bf16" or "fp64". Error(configuration):
// tf32 where the device is the CPU.
void set_precision(Runtime& runtime, const std::string& precision);
// Why the precision is slower than fp32 on this processor, in a sentence; empty where it is not.
std::string precision_warning(const Context& context);

}  // namespace py4cast
