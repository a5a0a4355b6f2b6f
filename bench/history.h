// What benchmarks took over months: one run a line of JSON.
#pragma once

#include <string>
#include <vector>

#include "bench/line_chart.h"
#include "bench/report.h"

namespace py4cast {

// Adds runs: all of them or, where that fails, none. Error(input_output): it cannot be written.
void append_history(const std::string& path, const std::vector<BenchmarkReport>& added);
// The runs in their order. Error(data): a line that is no run; names the file and the line.
std::vector<BenchmarkReport> read_history(const std::string& path);

enum class HistoryQuantity { share, time };
// One line for each case whose name matches, and each processor where there are several, in the
// order of their last values; commits on the axis. Shares of the ceiling survive a change of the machine, times do not.
// Error(configuration): no case matches.
LineChart history_chart(const std::vector<BenchmarkReport>& runs, HistoryQuantity quantity,
                        const std::string& filter);

}  // namespace py4cast
