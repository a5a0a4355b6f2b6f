// What the ops of a training step count.
#pragma once

#include "train/command_line.h"

namespace py4cast {

// Prints the work of a step of so many forecasts (--work) of some networks, by module and op, with the
// time at the machine's ceilings, which are measured, or at those that are told (--ceilings). The step
// itself runs dry: nothing of it is computed. Error(configuration): an unknown name, a wrong number.
int print_step_work(const Arguments& arguments);

}  // namespace py4cast
