#include "train/forecast/score_table.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

namespace py4cast {
namespace {

std::string cell(double value, bool best) {
  char text[32];
  std::snprintf(text, sizeof text, "%10.4g%c", value, best ? '*' : ' ');
  return text;
}

double value_at(const Json& rmse, const std::string& feature, const std::string& lead) {
  if (!rmse.contains(feature) || !rmse[feature].contains(lead) || !rmse[feature][lead].is_number())
    return std::nan("");
  return rmse[feature][lead];
}

}  // namespace

std::string score_table(const Json& scores, const Json& baselines, const std::string& network,
                        const std::vector<std::string>& features,
                        const std::vector<std::string>& units) {
  std::vector<std::pair<std::string, const Json*>> rows{{network, &scores["rmse"]}};
  for (const auto& [name, entry] : baselines.items()) rows.emplace_back(name, &entry["rmse"]);
  std::string table;
  for (size_t f = 0; f < features.size(); ++f) {
    std::vector<std::string> leads;
    for (const auto& [lead, value] : scores["rmse"][features[f]].items()) leads.push_back(lead);
    char head[128];
    std::snprintf(head, sizeof head, "%-24s",
                  ("RMSE of " + features[f] + " [" + units[f] + "]").c_str());
    table += head;
    for (const std::string& lead : leads) {
      std::snprintf(head, sizeof head, "%10s ", ("+" + lead + " h").c_str());
      table += head;
    }
    table += '\n';
    for (const auto& [name, rmse] : rows) {
      std::snprintf(head, sizeof head, "  %-22s", name.c_str());
      table += head;
      for (const std::string& lead : leads) {
        const double value = value_at(*rmse, features[f], lead);
        double best = std::numeric_limits<double>::infinity();
        for (const auto& row : rows) {
          const double other = value_at(*row.second, features[f], lead);
          if (other < best) best = other;
        }
        table += std::isnan(value) ? "         - " : cell(value, value <= best);
      }
      table += '\n';
    }
  }
  return table;
}

}  // namespace py4cast
