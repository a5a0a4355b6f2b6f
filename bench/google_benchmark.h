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

// Points on a side: --size. Error(configuration): fewer than 32.
int64_t grid_side(const Arguments& arguments);

// Those that --ceilings tells, for every precision. Error(configuration): not two positive numbers.
std::optional<Ceilings> told_ceilings(const Arguments& arguments);

// Runs the cases that `add` adds, as the options say. Error(configuration): a wrong option, before anything
// runs; a filter that matches no case. Error(input_output): --benchmark_out cannot be written, before
// anything runs where that can be known.
int run_benchmarks(const Arguments& arguments, const std::function<void(Machine&)>& add);

}  // namespace py4cast
