// All that the programs can do as they are built.
#pragma once

#include <memory>

#include "train/registries.h"

namespace py4cast {

std::shared_ptr<const Registries> built_in_registries();

}  // namespace py4cast
