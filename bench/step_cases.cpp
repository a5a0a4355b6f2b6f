#include "bench/step_cases.h"

#include <algorithm>

#include "bench/checks.h"

namespace py4cast {

const std::vector<StepCase>& step_cases() {
  static const std::vector<StepCase> cases = {
      {"halfunet64", "halfunet", Json::object()},
      {"halfunet32", "halfunet", {{"num_filters", 32}}},
      {"halfunet128", "halfunet", {{"num_filters", 128}}},
      {"halfunet128_ghost", "halfunet", {{"num_filters", 128}, {"use_ghost", true}}},
      {"unet", "unet", Json::object()},
      {"segformer", "segformer", Json::object()},
      {"graphlam", "graphlam", Json::object()},
      {"hilam", "hilam", Json::object()},
      {"hilamparallel", "hilamparallel", Json::object()}};
  return cases;
}

const StepCase& step_case(const std::string& option, const std::string& name) {
  std::vector<std::string> names;
  for (const StepCase& each : step_cases()) names.push_back(each.name);
  check_choice(option, name, names);
  return *std::ranges::find(step_cases(), name, &StepCase::name);
}

}  // namespace py4cast
