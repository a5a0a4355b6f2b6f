#include "train/forecast/score_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

namespace py4cast {
namespace {

double value_at(const Json& rmse, const std::string& feature, const std::string& lead) {
  if (!rmse.contains(feature) || !rmse[feature].contains(lead) || !rmse[feature][lead].is_number())
    return std::nan("");
  return rmse[feature][lead];
}

// One feature's block. All its numbers have as many decimals as give the largest four digits.
class Block {
 public:
  Block(const std::vector<Forecast>& forecasts, const std::string& feature)
      : forecasts_(forecasts), feature_(feature) {
    for (const auto& [lead, value] : forecasts[0].rmse[feature].items()) leads_.push_back(lead);
    for (const Forecast& forecast : forecasts)
      for (const std::string& lead : leads_)
        largest_ = std::fmax(largest_, std::abs(value_at(forecast.rmse, feature, lead)));
  }

  std::string text(const std::string& title) const {
    std::string table = padded("%-24s", title);
    for (const std::string& lead : leads_) table += padded("%10s ", heading(lead));
    table += '\n';
    for (const Forecast& forecast : forecasts_) {
      table += padded("  %-22s", forecast.name);
      for (const std::string& lead : leads_)
        table += cell(value_at(forecast.rmse, feature_, lead), best(lead));
      table += '\n';
    }
    return table;
  }

 private:
  static std::string padded(const char* format, const std::string& words) {
    char text[128];
    std::snprintf(text, sizeof text, format, words.c_str());
    return text;
  }

  // "+0.1667 h"
  static std::string heading(const std::string& lead) {
    char text[32];
    std::snprintf(text, sizeof text, "+%.4g h", std::strtod(lead.c_str(), nullptr));
    return text;
  }

  double best(const std::string& lead) const {
    if (forecasts_.size() < 2) return std::nan("");
    double least = std::numeric_limits<double>::infinity();
    for (const Forecast& forecast : forecasts_)
      least = std::fmin(least, value_at(forecast.rmse, feature_, lead));
    return least;
  }

  std::string cell(double value, double best) const {
    if (std::isnan(value)) return "         - ";
    const int decimals =
        largest_ > 0 ? std::max(0, 3 - static_cast<int>(std::floor(std::log10(largest_)))) : 3;
    char text[64];
    if (decimals > 6)
      std::snprintf(text, sizeof text, "%10.3e", value);
    else
      std::snprintf(text, sizeof text, "%10.*f", decimals, value);
    return text + std::string(value <= best ? "*" : " ");
  }

  const std::vector<Forecast>& forecasts_;
  const std::string& feature_;
  std::vector<std::string> leads_;
  double largest_ = 0;
};

}  // namespace

std::vector<Forecast> reference_forecasts(const Json& references) {
  std::vector<Forecast> forecasts;
  for (const auto& [name, entry] : references.items()) forecasts.push_back({name, entry["rmse"]});
  return forecasts;
}

std::string score_table(const std::vector<Forecast>& forecasts,
                        const std::vector<std::string>& features,
                        const std::vector<std::string>& units, const std::string& score) {
  std::string table;
  for (size_t f = 0; f < features.size() && !forecasts.empty(); ++f)
    table +=
        Block(forecasts, features[f]).text(score + " of " + features[f] + " [" + units[f] + "]");
  return table;
}

}  // namespace py4cast
