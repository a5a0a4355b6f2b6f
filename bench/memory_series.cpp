#include "bench/memory_series.h"

#include <algorithm>
#include <cstdio>

#include "bench/checks.h"
#include "engine/error.h"

namespace py4cast {
namespace {

constexpr double heap_limit = 16, rss_limit = 128, rss_rise = 256 * 1024;

std::string text_of(const char* format, double first, double second) {
  char text[160];
  std::snprintf(text, sizeof text, format, first, second);
  return text;
}

}  // namespace

nlohmann::ordered_json to_json(const MemorySeries& series) {
  nlohmann::ordered_json signals = nlohmann::ordered_json::object();
  for (const auto& [name, values] : series.signals) signals[name] = values;
  return {{"steps", series.steps}, {"signals", signals}};
}

MemorySeries series_of(const nlohmann::ordered_json& json) {
  MemorySeries series;
  try {
    json.at("steps").get_to(series.steps);
    for (const auto& [name, values] : json.at("signals").items())
      values.get_to(series.signals[name]);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::data, "this is no series of memory: ", reason_of(error));
  }
  for (const auto& [name, values] : series.signals)
    if (values.size() != series.steps.size() || values.empty())
      throw Error(ErrorKind::data, "signal '", name, "' has ", values.size(), " values at ",
                  series.steps.size(), " steps");
  return series;
}

MemoryVerdict verdict_of(const MemorySeries& series) {
  if (!series.signals.contains("heap"))
    throw Error(ErrorKind::data,
                "a series without the signal 'heap' says of no training that it leaks");
  MemoryVerdict verdict;
  const auto values = [&](const char* name) -> const std::vector<double>* {
    const auto found = series.signals.find(name);
    return found == series.signals.end() ? nullptr : &found->second;
  };
  for (const char* name : {"ledger_changes", "step_allocations", "validation_allocations", "ledger",
                           "descriptors", "threads", "hdf5_objects"}) {
    const auto* constant = values(name);
    if (!constant) continue;
    const auto [low, high] = std::ranges::minmax(*constant);
    if (low != high) verdict.failures.push_back(name + text_of(" %.12g ... %.12g", low, high));
  }
  const auto limit = [&](const char* name, double most, Slope& slope) {
    slope = theil_sen(series.steps, *values(name));
    if (!(slope.upper < most))
      verdict.failures.push_back(name + text_of(" grows by %.3g bytes per step (95 %% bound %.3g)",
                                                slope.value, slope.upper));
  };
  limit("heap", heap_limit, verdict.heap);
  if (const auto* rss = values("rss")) {
    const double span = series.steps.back() - series.steps.front();
    limit("rss", std::max(rss_limit, rss_rise / span), verdict.rss);
    const auto quarter = static_cast<std::ptrdiff_t>((rss->size() + 3) / 4);
    const double rise = *std::min_element(rss->end() - quarter, rss->end()) -
                        *std::max_element(rss->begin(), rss->begin() + quarter);
    if (rise > rss_rise)
      verdict.failures.push_back(
          text_of("rss rises by %.4g kB from the first to the last quarter, more than %g",
                  rise / 1024, rss_rise / 1024));
  }
  return verdict;
}

}  // namespace py4cast
