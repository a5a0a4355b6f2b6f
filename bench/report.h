// Reports in Google Benchmark's JSON: of py4cast_bench and of bench/peers.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace py4cast {

struct BenchmarkResult {
  double milliseconds = 0;  // of wall-clock time; the median of repetitions
  double share = 0;         // of the machine's ceiling, likewise; 0: not told

  bool operator==(const BenchmarkResult&) const = default;
};

struct BenchmarkReport {
  std::string date, commit, processor, device;     // "unknown" where it is not told
  std::map<std::string, BenchmarkResult> results;  // by name

  bool operator==(const BenchmarkReport&) const = default;
};

// Error(input_output): it cannot be read; Error(data): it is no such report, or has no result.
BenchmarkReport read_report(const std::string& path);

double median(std::vector<double> values);  // of at least one

}  // namespace py4cast
