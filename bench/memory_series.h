// The memory of one training, step by step, and whether it leaks.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/theil_sen.h"

namespace py4cast {

// Signals by name, all at the same steps: those of bench/process_memory.h, and of the engine
//   ledger                  live bytes of the memory ledger
//   ledger_changes          step boundaries, so far, at which the ledger was not block for block the
//                           one of the first
//   step_allocations        blocks that were added to the ledger, so far, in training steps
//   validation_allocations  blocks that a validation added
//   opens                   how often a file was opened, so far
struct MemorySeries {
  std::vector<double> steps;  // after the warm-up
  std::map<std::string, std::vector<double>> signals;
};
nlohmann::ordered_json to_json(const MemorySeries& series);
// Error(data): what is no such series.
MemorySeries series_of(const nlohmann::ordered_json& json);

struct MemoryVerdict {
  Slope heap, rss;                    // bytes per step
  std::vector<std::string> failures;  // in words; none: nothing leaks
};

// Nothing leaks if all of these hold, as far as the series has the signals:
//   ledger_changes, step_allocations, validation_allocations, ledger, descriptors, threads and
//   hdf5_objects have one value from the first step to the last;
//   the slope of the heap (bench/theil_sen.h, upper bound) is below 16 bytes per step, that of rss
//   below 128, or below 256 kB in all the steps where that is more: so much do pages move by;
//   the smallest rss of the last quarter is at most 256 kB above the largest of the first.
// pss, cgroup and device are for the eye: other processes change them.
// Error(data): it has no heap.
MemoryVerdict verdict_of(const MemorySeries& series);

}  // namespace py4cast
