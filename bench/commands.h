// The commands of py4cast_bench, one file each.
#pragma once

#include "train/command_line.h"
#include "train/registries.h"

namespace py4cast {

Command kernels_command();
Command step_command(const Registries& registries);
Command compare_command();
Command track_command();
Command memory_command();

}  // namespace py4cast
