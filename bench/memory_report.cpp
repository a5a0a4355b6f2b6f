#include "bench/memory_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "bench/checks.h"
#include "engine/error.h"

namespace py4cast {
namespace {

std::string short_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value == 0 ? 0 : value);  // no -0
  return text;
}

std::string slope_text(const MemoryResult& result, Slope MemoryVerdict::*signal) {
  Slope largest{-INFINITY, -INFINITY};
  for (const MemoryVerdict& verdict : result.verdicts) {
    largest.value = std::max(largest.value, (verdict.*signal).value);
    largest.upper = std::max(largest.upper, (verdict.*signal).upper);
  }
  return short_text(largest.value) + " (" + short_text(largest.upper) + ")";
}

// All values of a signal.
std::string range_text(const MemoryResult& result, const std::string& signal) {
  double low = INFINITY, high = -INFINITY;
  for (const MemorySeries& series : result.launches) {
    const auto found = series.signals.find(signal);
    if (found == series.signals.end()) return "";
    const auto [least, most] = std::ranges::minmax(found->second);
    low = std::min(low, least);
    high = std::max(high, most);
  }
  return low == high ? short_text(low) : short_text(low) + " ... " + short_text(high);
}

// Of a signal that counts, per step; the largest.
std::string rate_text(const MemoryResult& result, const std::string& signal) {
  double largest = 0;
  for (const MemorySeries& series : result.launches) {
    const auto found = series.signals.find(signal);
    if (found == series.signals.end() || series.steps.size() < 2) return "";
    largest = std::max(largest, (found->second.back() - found->second.front()) /
                                    (series.steps.back() - series.steps.front()));
  }
  return short_text(largest);
}

using Series = std::vector<const MemorySeries*>;

// What came since the first step, in units of so many bytes.
ChartLine line_of(const std::string& group, const Series& all, const std::string& signal,
                  double unit) {
  size_t count = all.front()->steps.size();
  for (const MemorySeries* series : all) count = std::min(count, series->steps.size());
  ChartLine line{.name = group, .x = {}, .y = {}, .low = {}, .high = {}};
  for (size_t i = 0; i < count; ++i) {
    std::vector<double> values;
    for (const MemorySeries* series : all) {
      const std::vector<double>& of_signal = series->signals.at(signal);
      values.push_back((of_signal[i] - of_signal.front()) / unit);
    }
    std::ranges::sort(values);
    line.x.push_back(all.front()->steps[i] - all.front()->steps.front());
    line.y.push_back((values[values.size() / 2] + values[(values.size() - 1) / 2]) / 2);
    if (all.size() == 1) continue;
    line.low.push_back(values.front());
    line.high.push_back(values.back());
  }
  return line;
}

// In the order of their first results.
std::vector<std::pair<std::string, Series>> groups_with(const std::vector<MemoryResult>& results,
                                                        const std::string& signal) {
  std::vector<std::pair<std::string, Series>> groups;
  for (const MemoryResult& result : results)
    for (const MemorySeries& series : result.launches) {
      if (!series.signals.contains(signal)) continue;
      auto group = std::ranges::find(groups, result.group, [](auto& each) { return each.first; });
      if (group == groups.end()) group = groups.insert(groups.end(), {result.group, {}});
      group->second.push_back(&series);
    }
  return groups;
}

}  // namespace

void MemoryResult::add(MemorySeries series) {
  verdicts.push_back(verdict_of(series));
  launches.push_back(std::move(series));
}

bool MemoryResult::leaks() const {
  return std::ranges::any_of(
      verdicts, [](const MemoryVerdict& verdict) { return !verdict.failures.empty(); });
}

nlohmann::ordered_json to_json(const MemoryResult& result) {
  nlohmann::ordered_json json = {{"name", result.name}, {"group", result.group}};
  for (const MemorySeries& series : result.launches) json["launches"].push_back(to_json(series));
  for (const MemoryVerdict& verdict : result.verdicts)
    json["verdicts"].push_back({{"failures", verdict.failures},
                                {"heap_bytes_per_step", {verdict.heap.value, verdict.heap.upper}},
                                {"rss_bytes_per_step", {verdict.rss.value, verdict.rss.upper}}});
  return json;
}

MemoryResult result_of(const nlohmann::ordered_json& json) {
  MemoryResult result;
  try {
    json.at("name").get_to(result.name);
    json.at("group").get_to(result.group);
    for (const auto& launch : json.at("launches")) result.add(series_of(launch));
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::data, "this is no result of a watched training: ", reason_of(error));
  }
  if (result.launches.empty()) throw Error(ErrorKind::data, result.name, " has no launch");
  return result;
}

std::string memory_table(const std::vector<MemoryResult>& results) {
  std::string table =
      "| case | verdict | heap, B per step (95 % bound) | rss, B per step (95 % bound) | "
      "allocations "
      "per step | descriptors | threads | HDF5 objects | opens per step |\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  std::string reasons;
  for (const MemoryResult& result : results) {
    table += "| " + result.name + " | " + (result.leaks() ? "LEAKS" : "ok") + " | " +
             slope_text(result, &MemoryVerdict::heap) + " | " +
             slope_text(result, &MemoryVerdict::rss) + " | " +
             rate_text(result, "step_allocations") + " | " + range_text(result, "descriptors") +
             " | " + range_text(result, "threads") + " | " + range_text(result, "hdf5_objects") +
             " | " + rate_text(result, "opens") + " |\n";
    for (const MemoryVerdict& verdict : result.verdicts)
      for (const std::string& failure : verdict.failures)
        reasons += "\n" + result.name + ": " + failure;
  }
  return table + reasons + (reasons.empty() ? "" : "\n");
}

std::vector<std::pair<std::string, LineChart>> memory_charts(
    const std::vector<MemoryResult>& results) {
  constexpr std::array<std::pair<const char*, const char*>, 5> signals = {
      {{"heap", "Live heap"},
       {"rss", "Resident memory (RSS)"},
       {"pss", "Resident memory, shared pages divided (PSS)"},
       {"cgroup", "Memory of the control group"},
       {"device", "Device memory in use"}}};
  std::vector<std::pair<std::string, LineChart>> charts;
  for (const auto& [signal, title] : signals) {
    const auto groups = groups_with(results, signal);
    if (groups.empty()) continue;
    LineChart chart{.title = std::string(title) + " since the warm-up",
                    .x_axis = "optimiser steps after the warm-up",
                    .y_axis = "kB",
                    .lines = {},
                    .places = {}};
    for (const auto& [group, series] : groups)
      chart.lines.push_back(line_of(group, series, signal, 1024));
    charts.emplace_back(signal, std::move(chart));
  }
  return charts;
}

}  // namespace py4cast
