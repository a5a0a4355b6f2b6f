// Scores as a table for the terminal.
#pragma once

#include <string>

#include "engine/settings/json.h"

namespace py4cast {

// `scores`: {"rmse": {feature: {lead: value}}, ...} of the network, `baselines`: {name: {"rmse":
// ...}}. One block per feature with its unit: a row per forecast, a column per lead time in hours,
// RMSE; the best of each column is marked.
std::string score_table(const Json& scores, const Json& baselines, const std::string& network,
                        const std::vector<std::string>& features,
                        const std::vector<std::string>& units);

}  // namespace py4cast
