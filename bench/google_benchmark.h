// Google Benchmark inside of a command.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/machine.h"
#include "train/command_line.h"

namespace py4cast {

// Its flags that matter here, and where to run: --device, --size.
std::vector<Option> benchmark_options();

// Runs the cases that `add` adds, as the options say. Error(configuration): a wrong option; a filter that
// matches no case.
int run_benchmarks(const Arguments& arguments, const std::function<void(Machine&)>& add);

}  // namespace py4cast
