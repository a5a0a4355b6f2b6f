// The networks whose training steps are measured.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/settings/json.h"

namespace py4cast {

struct StepCase {
  std::string name;   // "halfunet128"
  std::string model;  // "halfunet"
  Json settings;      // that are not the defaults
};

const std::vector<StepCase>& step_cases();
// Error(configuration): there is none of that name; tells the nearest. `option`: that names it.
const StepCase& step_case(const std::string& option, const std::string& name);

}  // namespace py4cast
