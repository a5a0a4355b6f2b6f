// Scores as a table for the terminal.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/settings/json.h"

namespace py4cast {

struct Forecast {
  std::string name;
  Json rmse;  // {feature: {lead: value}}
};

// Those of BaselineScores::scores.
std::vector<Forecast> reference_forecasts(const Json& references);

// One block per feature with its unit: a row per forecast, a column per lead time of the first one in
// hours, RMSE or another score; the best of each column is marked.
std::string score_table(const std::vector<Forecast>& forecasts,
                        const std::vector<std::string>& features,
                        const std::vector<std::string>& units, const std::string& score = "RMSE");

}  // namespace py4cast
