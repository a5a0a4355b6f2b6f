// All that the programs can do as they are built.
#pragma once

#include <functional>
#include <memory>

#include "train/registries.h"

namespace py4cast {

struct ForecastRegistries;  // train/forecast/registries.h

// And what `more` adds.
std::shared_ptr<const Registries> built_in_registries(
    const std::function<void(Registries&, ForecastRegistries&)>& more = {});

}  // namespace py4cast
