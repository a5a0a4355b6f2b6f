#include "bench/memory_report.h"

#include <gtest/gtest.h>

#include "tests/engine/error_of.h"

namespace py4cast {
namespace {

// A heap that grows by so many bytes per step, from 1 MiB.
MemorySeries growing(double slope) {
  MemorySeries series;
  for (int i = 0; i <= 100; ++i) {
    series.steps.push_back(500 + 10 * i);
    series.signals["heap"].push_back(1048576 + slope * 10 * i);
    series.signals["descriptors"].push_back(7);
    series.signals["opens"].push_back(2 * 10 * i);
  }
  return series;
}

std::vector<MemoryResult> results() {
  MemoryResult still{"still", "ours", {}, {}}, leaking{"leaking", "theirs", {}, {}};
  for (const double slope : {0.0, 1.0, 4.0}) still.add(growing(slope));
  leaking.add(growing(1024));
  return {still, leaking};
}

TEST(MemoryReport, TableShowsTheWorstLaunch) {
  const std::string table = memory_table(results());
  EXPECT_NE(table.find("| still | ok | 4 (4) |"), std::string::npos) << table;
  EXPECT_NE(table.find("| leaking | LEAKS | 1.02e+03 (1.02e+03) |"), std::string::npos) << table;
  EXPECT_NE(table.find("| 7 |  |  | 2 |"), std::string::npos) << table;
  EXPECT_NE(table.find("leaking: heap grows by"), std::string::npos) << table;
}

TEST(MemoryReport, ChartsShowTheMedianOfAGroupInItsEnvelope) {
  const auto charts = memory_charts(results());
  ASSERT_EQ(charts.size(), 1u);
  EXPECT_EQ(charts[0].first, "heap");
  const std::vector<ChartLine>& lines = charts[0].second.lines;
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].name, "ours");
  EXPECT_EQ(lines[0].x.back(), 1000);
  EXPECT_DOUBLE_EQ(lines[0].y.back(), 1000.0 / 1024);
  EXPECT_DOUBLE_EQ(lines[0].low.back(), 0);
  EXPECT_DOUBLE_EQ(lines[0].high.back(), 4000.0 / 1024);
  EXPECT_DOUBLE_EQ(lines[1].y.back(), 1000);
  EXPECT_TRUE(lines[1].low.empty());
}

TEST(MemoryReport, GoesThroughJson) {
  for (const MemoryResult& result : results()) {
    const MemoryResult same = result_of(to_json(result));
    EXPECT_EQ(same.name, result.name);
    EXPECT_EQ(same.group, result.group);
    EXPECT_EQ(same.launches.size(), result.launches.size());
    EXPECT_EQ(same.leaks(), result.leaks());
  }
  EXPECT_NE(error_of([] { result_of({{"name", "x"}}); }).find("group"), std::string::npos);
}

}  // namespace
}  // namespace py4cast
