#include "bench/memory_series.h"

#include <gtest/gtest.h>

#include "engine/random.h"
#include "tests/engine/error_of.h"

namespace py4cast {
namespace {

// 100 looks at a training whose heap moves by some kB and whose pages move by some ten.
MemorySeries still_series(double every = 40) {
  MemorySeries series;
  const RandomKey key{1};
  for (uint64_t i = 0; i < 100; ++i) {
    series.steps.push_back(500 + every * static_cast<double>(i));
    series.signals["heap"].push_back(5e6 + 4096 * key.uniform(i));
    series.signals["rss"].push_back(9e7 + 40960 * key.child(1).uniform(i));
    for (const char* name : {"ledger_changes", "step_allocations", "descriptors", "hdf5_objects"})
      series.signals[name].push_back(4);
  }
  return series;
}

// With so many bytes more at each step.
std::vector<std::string> failures_of(MemorySeries series, const std::string& signal, double slope) {
  for (size_t i = 0; i < series.steps.size(); ++i)
    series.signals[signal][i] += slope * series.steps[i];
  return verdict_of(series).failures;
}

TEST(MemorySeries, NoiseIsNoLeak) {
  const MemoryVerdict verdict = verdict_of(still_series());
  EXPECT_EQ(verdict.failures, std::vector<std::string>{});
  EXPECT_LT(std::abs(verdict.heap.value), 1);
  EXPECT_GT(verdict.heap.upper, verdict.heap.value);
}

TEST(MemorySeries, TwentyBytesPerStepAreALeakOfTheHeap) {
  EXPECT_TRUE(failures_of(still_series(), "heap", 10).empty());
  const auto failures = failures_of(still_series(), "heap", 20);
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_TRUE(failures[0].starts_with("heap grows by ")) << failures[0];
}

TEST(MemorySeries, PagesMayGrowALittle) {
  EXPECT_TRUE(failures_of(still_series(), "rss", 50).empty());
  // 150 bytes in 4000 steps: 450 kB from quarter to quarter at least.
  EXPECT_EQ(failures_of(still_series(), "rss", 150).size(), 2u);
}

TEST(MemorySeries, PagesOfAFewStepsMayGrowBy256Kilobytes) {
  EXPECT_TRUE(failures_of(still_series(3), "rss", 500).empty());
  EXPECT_FALSE(failures_of(still_series(3), "rss", 1000).empty());
}

// A median of slopes does not see a late jump; the quarters do.
TEST(MemorySeries, JumpInTheLastQuarterIsSeen) {
  MemorySeries series = still_series();
  for (size_t i = 74; i < 100; ++i) series.signals["rss"][i] += 400 * 1024;
  bool quarters = false;
  for (const std::string& failure : verdict_of(series).failures)
    quarters |= failure.starts_with("rss rises by");
  EXPECT_TRUE(quarters);
}

TEST(MemorySeries, CountsMustNotChange) {
  for (const char* name : {"ledger_changes", "step_allocations", "descriptors", "hdf5_objects"}) {
    MemorySeries series = still_series();
    series.signals[name].back() += 1;
    const auto failures = verdict_of(series).failures;
    ASSERT_EQ(failures.size(), 1u) << name;
    EXPECT_EQ(failures[0], std::string(name) + " 4 ... 5");
  }
}

TEST(MemorySeries, SignalsThatAreNotThereAreNotJudged) {
  MemorySeries series = still_series();
  series.signals = {{"heap", series.signals["heap"]}};
  EXPECT_TRUE(verdict_of(series).failures.empty());
}

TEST(MemorySeries, WhatOtherProcessesChangeIsNotJudged) {
  MemorySeries series = still_series();
  for (const char* name : {"pss", "cgroup", "device"})
    for (size_t i = 0; i < series.steps.size(); ++i)
      series.signals[name].push_back(1e6 * static_cast<double>(i));
  EXPECT_TRUE(verdict_of(series).failures.empty());
}

TEST(MemorySeries, WithoutAHeapThereIsNoVerdict) {
  MemorySeries series = still_series();
  series.signals.erase("heap");
  EXPECT_NE(
      error_of([&] { verdict_of(series); }, ErrorKind::data).find("without the signal 'heap'"),
      std::string::npos);
}

TEST(MemorySeries, GoesThroughJson) {
  const MemorySeries series = still_series(), same = series_of(to_json(series));
  EXPECT_EQ(same.steps, series.steps);
  EXPECT_EQ(same.signals, series.signals);
  auto json = to_json(series);
  json["signals"]["heap"].erase(0);
  EXPECT_NE(error_of([&] { series_of(json); }).find("'heap' has 99 values at 100 steps"),
            std::string::npos);
  EXPECT_NE(error_of([] { series_of({{"steps", "all"}}); }).find("no series"), std::string::npos);
}

}  // namespace
}  // namespace py4cast
