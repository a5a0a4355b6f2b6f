// The tables of training speed in the documentation of the original, beside ours.
#pragma once

#include "train/command_line.h"
#include "train/registries.h"

namespace py4cast {

// Of the networks that are chosen (bench/step_cases.h): HiLAM on 500 x 500 and 512 x 512 points, 149 features in, 69 out, one batch of one sample to a step;
// the it/s of blocks of steps from the first on, the parts of a step, and a sweep over workers and
// prefetched batches. Returns the exit code. Error(configuration): a wrong option,
// before anything runs.
int print_step_tables(const Registries& registries, const Arguments& arguments);

}  // namespace py4cast
