// What the trainings whose memory was watched say: a table, pictures, a file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench/line_chart.h"
#include "bench/memory_series.h"

namespace py4cast {

struct MemoryResult {
  std::string name;
  std::string group;                    // shares a line in pictures
  std::vector<MemorySeries> launches;   // each of a process of its own
  std::vector<MemoryVerdict> verdicts;  // of each

  void add(MemorySeries series);
  bool leaks() const;  // in some launch
};

// {"name", "group", "launches": [...]}, and for readers the verdicts.
nlohmann::ordered_json to_json(const MemoryResult& result);
// Error(data): what is no such result.
MemoryResult result_of(const nlohmann::ordered_json& json);

// Markdown: of several launches the largest slopes and bounds and the widest ranges; below it why a case
// fails.
std::string memory_table(const std::vector<MemoryResult>& results);

// By name of its file, a picture for each signal of memory: what came since the first step, the median
// of each group's trainings within their envelope.
std::vector<std::pair<std::string, LineChart>> memory_charts(
    const std::vector<MemoryResult>& results);

}  // namespace py4cast
