// environment.json: where and with what a run was made.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/runtime.h"

namespace py4cast {

// environment_report(), and the versions of the program and of the libraries it is linked with.
nlohmann::ordered_json run_environment(Runtime& runtime);

}  // namespace py4cast
