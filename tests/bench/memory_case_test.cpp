#include "bench/memory_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace py4cast {
namespace {

constexpr MemorySteps few = {.warm_up = 20, .steps = 40};

double grown(const MemorySeries& series, const std::string& signal) {
  return series.signals.at(signal).back() - series.signals.at(signal).front();
}

TEST(MemoryCase, NamesDifferAndEachFactorIsThere) {
  std::set<std::string> names;
  for (const MemoryCase& each : memory_cases(true)) names.insert(each.name());
  EXPECT_EQ(names.size(), memory_cases(true).size());
  for (const char* name :
       {"opened/cpu/1w/1f/train", "kept/cpu/1w/1f/train", "none/cpu/1w/1f/train",
        "opened/device/1w/1f/train", "opened/raw/1w/1f/train", "opened/cpu/0w/1f/train",
        "opened/cpu/4w/1f/train", "opened/cpu/1w/3f/train", "opened/cpu/1w/1f/validate",
        "opened/cpu/1w/1f/checkpoint", "none/device/4w/3f/all"})
    EXPECT_TRUE(names.contains(name)) << name;
}

// Each sample reads two files in turn, of which one may be open.
TEST(MemoryCase, OpensItsFilesInEachStep) {
  const MemorySeries series = run_memory_case({.workers = 0}, few).series;
  EXPECT_EQ(series.steps.front(), 20);
  EXPECT_EQ(series.steps.back(), 60);
  EXPECT_GE(grown(series, "opens"), 2 * 40);
  for (const char* constant : {"ledger", "ledger_changes", "step_allocations", "hdf5_objects"})
    EXPECT_EQ(grown(series, constant), 0) << constant;
  EXPECT_GT(series.signals.at("rss").front(), series.signals.at("ledger").front());
}

TEST(MemoryCase, ValidatesAndSavesBesideTraining) {
  const MemorySeries series =
      run_memory_case({.file = MemoryCase::File::none, .mode = MemoryCase::Mode::all},
                      {.warm_up = 60, .steps = 40})
          .series;
  EXPECT_GT(series.signals.at("validation_allocations").front(), 0);
  EXPECT_FALSE(series.signals.contains("opens"));
}

// Sanitizers have a heap of their own, so the leaks of the heap are left to memory --control.
TEST(MemoryCase, OneDescriptorAndOneBlockOfTheLedgerAreFound) {
  const auto failure = [](MemoryCase::Control control) {
    const MemoryRun run = run_memory_case({.file = MemoryCase::File::none, .control = control},
                                          {.warm_up = 70, .steps = 40});
    const auto failures = verdict_of(run.series).failures;
    return failures.empty() ? "" : failures.front();
  };
  EXPECT_TRUE(failure(MemoryCase::Control::descriptor).starts_with("descriptors"));
  EXPECT_TRUE(failure(MemoryCase::Control::ledger).starts_with("ledger_changes"));
}

}  // namespace
}  // namespace py4cast
