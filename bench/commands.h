// The commands of py4cast_bench, one file each.
#pragma once

#include "train/command_line.h"
#include "train/registries.h"

namespace py4cast {

Command kernels_command();
Command step_command(const Registries& registries);

}  // namespace py4cast
