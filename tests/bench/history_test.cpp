#include "bench/history.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

class HistoryTest : public testing::Test {
 protected:
  HistoryTest() { std::filesystem::create_directories(folder_); }
  ~HistoryTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() /
      (std::string("py4cast_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

// As Google Benchmark 1.7.1 writes it, with repetitions.
constexpr const char* report = R"({
  "context": {"date": "2026-11-01T10:00:00+00:00", "commit": "0123456789ab",
              "processor": "AMD EPYC", "device": "cpu"},
  "benchmarks": [
    {"name": "a", "run_name": "a", "run_type": "iteration", "real_time": 3e6, "time_unit": "ns",
     "share": 0.5},
    {"name": "a", "run_name": "a", "run_type": "iteration", "real_time": 5e6, "time_unit": "ns",
     "share": 0.4},
    {"name": "a_cv", "run_name": "a", "run_type": "aggregate", "real_time": 4e6,
     "time_unit": "ns",
     "allocations": NaN},
    {"name": "b", "run_name": "b", "run_type": "iteration", "real_time": 0.25, "time_unit": "s",
     "allocations": -nan},
    {"name": "c", "run_name": "c", "run_type": "iteration", "error_occurred": true,
     "real_time": 0, "time_unit": "ms"}]})";

TEST_F(HistoryTest, ReportGivesMediansInMilliseconds) {
  write("r.json", report);
  const BenchmarkReport found = read_report(path("r.json"));
  EXPECT_EQ(found.commit, "0123456789ab");
  ASSERT_EQ(found.results.size(), 2u);
  EXPECT_DOUBLE_EQ(found.results.at("a").milliseconds, 4);
  EXPECT_DOUBLE_EQ(found.results.at("a").share, 0.45);
  EXPECT_DOUBLE_EQ(found.results.at("b").milliseconds, 250);
  EXPECT_EQ(found.results.at("b").share, 0);
}

TEST_F(HistoryTest, ForeignReportIsRefused) {
  write("r.json", "{\"benchmarks\": 3}");
  try {
    read_report(path("r.json"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("r.json: is no report of py4cast_bench"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(HistoryTest, RunsAreReadAsTheyWereAdded) {
  write("r.json", report);
  BenchmarkReport run = read_report(path("r.json"));
  append_history(path("h.jsonl"), {run});
  run.commit = "ffffffffffff";
  run.results["a"] = {2, 0.8};
  append_history(path("h.jsonl"), {run});
  const std::vector<BenchmarkReport> runs = read_history(path("h.jsonl"));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].commit, "0123456789ab");
  EXPECT_EQ(runs[1].results.at("a").milliseconds, 2);

  const LineChart shares = history_chart(runs, HistoryQuantity::share, ".*");
  ASSERT_EQ(shares.lines.size(), 1u);  // b tells no share
  EXPECT_EQ(shares.lines[0].y, (std::vector<double>{45, 80}));
  EXPECT_EQ(shares.places, (std::vector<std::string>{"01234567", "ffffffff"}));
  const LineChart times = history_chart(runs, HistoryQuantity::time, "^b$");
  ASSERT_EQ(times.lines.size(), 1u);
  EXPECT_EQ(times.lines[0].y, (std::vector<double>{250, 250}));
  const LineChart both = history_chart(runs, HistoryQuantity::time, ".*");
  ASSERT_EQ(both.lines.size(), 2u);
  EXPECT_EQ(both.lines[0].name, "b");  // which ends higher
  EXPECT_THROW(history_chart(runs, HistoryQuantity::time, "none"), Error);
  EXPECT_THROW(history_chart(runs, HistoryQuantity::time, "["), Error);
}

TEST_F(HistoryTest, ProcessorsHaveLinesOfTheirOwn) {
  BenchmarkReport run{.date = "d", .commit = "c", .processor = "P", .device = "cpu"};
  run.results["a"] = {2, 0.8};
  append_history(path("h.jsonl"), {run});
  run.processor = "Q";
  append_history(path("h.jsonl"), {run});
  const LineChart chart =
      history_chart(read_history(path("h.jsonl")), HistoryQuantity::share, ".*");
  ASSERT_EQ(chart.lines.size(), 2u);
  EXPECT_EQ(chart.lines[1].name, "a, Q");
  EXPECT_EQ(chart.lines[1].x, (std::vector<double>{1}));
}

TEST_F(HistoryTest, DamagedLineIsNamed) {
  write("h.jsonl", "\n{\"date\": \"d\"\n");
  try {
    read_history(path("h.jsonl"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("h.jsonl, line 2: is no run: parse error"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace py4cast
