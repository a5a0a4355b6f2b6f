#include "bench/commands.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "bench/history.h"
#include "bench/report.h"
#include "bench/synthetic_dataset.h"
#include "engine/files.h"
#include "tests/engine/error_of.h"
#include "tests/train/programs/programs.h"
#include "train/forecast/registries.h"
#include "train/programs/built_in.h"

namespace py4cast {
namespace {

using Words = std::vector<std::string>;

class BenchCommandsTest : public testing::Test {
 protected:
  BenchCommandsTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~BenchCommandsTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  // A report of one benchmark.
  std::string report(const std::string& name, const std::string& date, double milliseconds) const {
    std::ofstream(path(name)) << R"({"context": {"date": ")" << date
                              << R"(", "commit": "0123456789ab"}, "benchmarks": [{"name": "a",
                                 "real_time": )"
                              << milliseconds << R"(, "time_unit": "ms", "share": 0.5}]})";
    return path(name);
  }

  int call(const Command& command, const Words& words) const {
    return command.run(parse_arguments(command, words));
  }
  int step(const Words& words) const { return call(step_command(*registries_), words); }
  std::string refusal(const Command& command, const Words& words,
                      ErrorKind kind = ErrorKind::configuration) const {
    return error_of([&] { call(command, words); }, kind);
  }
  std::string refusal_of_step(const Words& words) const {
    return refusal(step_command(*registries_), words);
  }
  // What it prints.
  std::string printed(const Command& command, const Words& words) const {
    testing::internal::CaptureStdout();
    const int status = call(command, words);
    std::fflush(stdout);
    const std::string text = testing::internal::GetCapturedStdout();
    EXPECT_EQ(status, 0) << text;
    return text;
  }

 private:
  const std::string folder_ = testing::TempDir() + "bench_commands";
  const std::shared_ptr<const Registries> registries_ =
      built_in_registries([](Registries&, ForecastRegistries& forecast) {
        forecast.datasets.add(synthetic_dataset());
      });
};

TEST_F(BenchCommandsTest, WrongValuesOfGoogleBenchmarkAreRefused) {
  for (const auto& [word, sentence] : std::vector<std::pair<std::string, std::string>>{
           {"--benchmark_format=xml",
            "'--benchmark_format' can be console, json, csv, not 'xml'; did you mean 'csv'?"},
           {"--benchmark_format=jsn", "did you mean 'json'?"},
           {"--benchmark_repetitions=0", "--benchmark_repetitions 0: at least 1 is needed"},
           {"--benchmark_repetitions=many", "must be an integer, not 'many'"},
           {"--benchmark_min_time=-1", "--benchmark_min_time -1: a positive number"},
           {"--benchmark_min_time=1x", "--benchmark_min_time 1x: a positive number"},
           {"--benchmark_min_time=nan", "--benchmark_min_time nan: a positive number"},
           {"--benchmark_filter=(", "--benchmark_filter (: is no regular expression"},
           {"--benchmark_filter=", "--benchmark_filter: a regular expression is needed"},
           {"--ceilings=1,1,1", "--ceilings 1,1,1: not two positive numbers"},
           {"--benchmark_out_format=csv", "goes with --benchmark_out only"},
           {"--benchmark_report_aggregates_only=true", "goes with --benchmark_repetitions only"},
           {"--benchmark_filtre=x", "did you mean '--benchmark_filter'?"},
           {"--networks=unet", "unknown flag '--networks'"}}) {
    const Words words =
        word.starts_with("--ceilings") ? Words{word} : Words{"--ceilings=1,1", word};
    const std::string said = refusal(kernels_command(), words);
    EXPECT_NE(said.find(sentence), std::string::npos) << word << ": " << said;
  }
  EXPECT_NE(
      refusal(kernels_command(), {"--benchmark_out=" + path("r"), "--benchmark_out_format=foo"})
          .find("can be console, json, csv, not 'foo'"),
      std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path("r")));
}

// Google Benchmark runs once in a process.
TEST_F(BenchCommandsTest, ReportIsWrittenOrItIsTold) {
  const std::string kernels = program_folder() +
                              "/py4cast_bench kernels --size=32 --ceilings=1,1 "
                              "--benchmark_min_time=0.001 --benchmark_filter=gather "
                              "--benchmark_out=";
  const std::string file = path("r.json");
  Outcome outcome = run(kernels + file);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_FALSE(read_report(file).results.empty());
  outcome = run(kernels + "/dev/full");
  EXPECT_EQ(outcome.exit_code, 8);
  EXPECT_NE(outcome.output.find("real_time"), std::string::npos);  // the measurements
  EXPECT_TRUE(
      outcome.output.ends_with("py4cast: /dev/full: cannot be written: No space left on device\n"))
      << outcome.output;
  outcome = run(kernels + path("no/r.json"));
  EXPECT_EQ(outcome.exit_code, 8);
  EXPECT_EQ(outcome.output, "py4cast: " + path("no/r.json") +
                                ": cannot be written: No such file or directory\n");  // at once
  // A list, and a filter that matches none, leave the report as it is.
  const std::string before = read_file(file);
  outcome = run(kernels + file + " --benchmark_list_tests");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_TRUE(outcome.output.starts_with("gather/")) << outcome.output;
  outcome = run(kernels + file + " --benchmark_filter=none");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find("--benchmark_filter none: no case has such a name"),
            std::string::npos)
      << outcome.output;
  EXPECT_EQ(read_file(file), before);
}

TEST_F(BenchCommandsTest, TablesCheckTheirOptionsAtOnce) {
  const auto refusal_of = [&](const std::string& word) {
    return refusal_of_step({"--tables", word});
  };
  testing::internal::CaptureStdout();
  EXPECT_NE(
      refusal_of("--networks=hilam,halfunet").find("not 'halfunet'; did you mean 'halfunet64'?"),
      std::string::npos);
  EXPECT_NE(refusal_of("--networks=").find("can be halfunet64, halfunet32, "), std::string::npos);
  EXPECT_NE(refusal_of("--precision=bf61").find("did you mean 'bf16'?"), std::string::npos);
  EXPECT_NE(refusal_of("--precision=tf32").find("only GPUs compute in it"), std::string::npos);
  EXPECT_NE(refusal_of("--size=31").find("--size 31: at least 32"), std::string::npos);
  EXPECT_NE(refusal_of("--batches=3").find("--batches 3: at least 4"), std::string::npos);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST_F(BenchCommandsTest, TablesTakeTheNamesOfTheCases) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(step({"--tables", "--networks=halfunet32", "--size=37", "--batches=4"}), 0);
  std::fflush(stdout);
  EXPECT_TRUE(testing::internal::GetCapturedStdout().starts_with("# halfunet32, fp32\n"));
}

TEST_F(BenchCommandsTest, WorkIsThatOfModulesAndOps) {
  EXPECT_NE(refusal_of_step({"--work=0"}).find("--work 0: at least 1"), std::string::npos);
  EXPECT_NE(refusal_of_step({"--work=1", "--networks=hilan"}).find("did you mean 'hilam'?"),
            std::string::npos);
  EXPECT_NE(refusal_of_step({"--work=1", "--precision=tf32"}).find("only GPUs compute in it"),
            std::string::npos);
  testing::internal::CaptureStdout();
  EXPECT_EQ(step({"--work=3", "--networks=halfunet32,hilam", "--size=32", "--ceilings=1e12,1e9"}),
            0);
  std::fflush(stdout);
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(text.starts_with("halfunet32, fp32: 32 x 32 points, forecasts: 3\n")) << text;
  std::smatch row;
  // 1024 points, 32 channels in, 21 out, forward: in and out and the weight move, at 1 GB/s.
  ASSERT_TRUE(std::regex_search(
      text, row, std::regex("outconv +convolution +3 +([0-9.]+) +([0-9.]+) +([0-9.]+)\n")))
      << text;
  EXPECT_NEAR(std::stod(row[1]), 3 * 1024 * (2.0 * 32 * 21 + 21) / 1e9, 1e-3);
  EXPECT_NEAR(std::stod(row[2]), 3 * 4 * (1024.0 * (32 + 21) + 32 * 21 + 21) / 1e6, 0.1);
  EXPECT_NEAR(std::stod(row[3]), std::stod(row[2]), 0.1);
  EXPECT_NE(text.find("\nhilam, fp32: "), std::string::npos);
  EXPECT_TRUE(std::regex_search(text, std::regex("m2g_gnn +message_sums +3 "))) << text;
}

TEST_F(BenchCommandsTest, OptionsOfOtherModesAreRefused) {
  EXPECT_EQ(refusal_of_step({"--sweep"}), "command line: '--sweep' goes with --tables only");
  EXPECT_EQ(refusal_of_step({"--networks=unet"}),
            "command line: '--networks' goes with --tables or --work");
  EXPECT_EQ(refusal_of_step({"--tables", "--work=1"}),
            "command line: '--work' does not go with --tables");
  EXPECT_EQ(refusal_of_step({"--work=1", "--benchmark_filter=unet"}),
            "command line: '--benchmark_filter' does not go with --work");
  EXPECT_EQ(refusal_of_step({"--tables", "--steps=3"}),
            "command line: '--steps' does not go with --tables");
  EXPECT_EQ(refusal_of_step({"--tables", "--benchmark_filter=unet"}),
            "command line: '--benchmark_filter' does not go with --tables");
  EXPECT_NE(refusal_of_step({"--tables", "--full", "--batches=9"}).find("'--batches' does not go"),
            std::string::npos);
  EXPECT_NE(refusal(memory_command(), {"--from=f", "--steps=100"}).find("'--steps' does not go"),
            std::string::npos);
  EXPECT_NE(refusal(memory_command(), {"--here", "--launches=2"}).find("'--launches' does not go"),
            std::string::npos);
  EXPECT_NE(refusal(memory_command(), {"--list", "--out=f"}).find("'--out' does not go"),
            std::string::npos);
  EXPECT_EQ(refusal(track_command(), {path("h"), "--filter=a"}),
            "command line: '--filter' goes with --svg only");
  EXPECT_NE(refusal(compare_command(), {"/bin/true", "/bin/true", "--command=steps"})
                .find("did you mean 'step'?"),
            std::string::npos);
}

TEST_F(BenchCommandsTest, ComparedProgramHasToWriteAReport) {
  std::ofstream(path("text")) << "";
  EXPECT_NE(refusal(compare_command(), {"/bin/true", "/bin/true"}, ErrorKind::internal)
                .find("/bin/true step: wrote no report"),
            std::string::npos);
  EXPECT_NE(refusal(compare_command(), {"/bin/false", "/bin/true"}, ErrorKind::internal)
                .find("/bin/false step: failed with exit code 1"),
            std::string::npos);
  EXPECT_EQ(refusal(compare_command(), {path("text"), "/bin/true"}, ErrorKind::input_output),
            path("text") + ": is no program, it cannot be executed");
  // The report of the other one does not count as its own.
  std::ofstream(path("old")) << "#!/bin/sh\ncp " << report("a.json", "2026-11-01", 3)
                             << " ${2#*=}\n";
  std::filesystem::permissions(path("old"), std::filesystem::perms::owner_all);
  EXPECT_NE(refusal(compare_command(), {path("old"), "/bin/true"}, ErrorKind::internal)
                .find("/bin/true step: wrote no report"),
            std::string::npos);
}

TEST_F(BenchCommandsTest, ComparedProgramsNeedACommonCase) {
  const std::string file = report("a.json", "2026-11-01", 3);
  for (const auto& [name, change] : {std::pair("old", ""), std::pair("new", "s/\"a\"/\"b\"/")}) {
    std::ofstream(path(name)) << "#!/bin/sh\nsed '" << change << "' " << file << " >${2#*=}\n";
    std::filesystem::permissions(path(name), std::filesystem::perms::owner_all);
  }
  testing::internal::CaptureStdout();
  EXPECT_EQ(refusal(compare_command(), {path("old"), path("new"), "--runs=3"}, ErrorKind::data),
            "the two builds have no case in common");
  EXPECT_TRUE(testing::internal::GetCapturedStdout().ends_with(
      "only in the old build: a\nonly in the new build: b\n"));
  EXPECT_TRUE(
      printed(compare_command(), {path("old"), path("old"), "--runs=3"}).ends_with("| same |\n"));
}

TEST_F(BenchCommandsTest, MemoryListsItsCases) {
  EXPECT_TRUE(printed(memory_command(), {"--list"}).starts_with("opened/cpu/1w/1f/train\nkept/"));
  EXPECT_EQ(printed(memory_command(), {"--list", "--control", "--cases=heap"}), "control/heap\n");
}

// Series of two looks; of the signal, 1 at the first.
TEST_F(BenchCommandsTest, ControlIsFoundOutByItsOwnLeakOnly) {
  const auto judge =
      [&](const std::string& name, const std::string& signal, int second) {
        std::ofstream(path("m.json"))
            << R"({"cases": [{"name": ")" << name
            << R"(", "group": "g", "launches": [{"steps": [0, 10], "signals": {"heap": [1, 1], ")"
            << signal << R"(": [1, )" << second << "]}}]}]}";
        testing::internal::CaptureStdout();
        const int status = call(memory_command(), {"--control", "--from=" + path("m.json")});
        std::fflush(stdout);
        const std::string text = testing::internal::GetCapturedStdout();
        EXPECT_EQ(text.ends_with("Each leak is found.\n"), status == 0) << text;
        return status;
      };
  EXPECT_EQ(judge("control/descriptor", "descriptors", 2), 0);
  EXPECT_EQ(judge("control/descriptor", "descriptors", 1), 1);
  EXPECT_EQ(judge("control/descriptor", "threads", 2), 1);
  EXPECT_EQ(judge("control/ledger", "ledger_changes", 2), 0);
  EXPECT_EQ(judge("control/ledger", "ledger", 2), 1);
  EXPECT_EQ(judge("control/heap", "threads", 2), 1);
}

TEST_F(BenchCommandsTest, MemoryRefusesFilesThatProveNothing) {
  const auto refused = [&](const std::string& cases, const Words& more) {
    std::ofstream(path("m.json")) << R"({"cases": [)" << cases << "]}";
    Words words = {"--from=" + path("m.json")};
    words.insert(words.end(), more.begin(), more.end());
    testing::internal::CaptureStdout();
    const std::string said = refusal(memory_command(), words, ErrorKind::data);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
    return said;
  };
  const auto series = [](const std::string& signal) {
    return R"({"name": "c", "group": "g", "launches": [{"steps": [0, 10], "signals": {")" + signal +
           R"(": [1, 1]}}]})";
  };
  EXPECT_EQ(refused("", {}), path("m.json") + ": \"cases\" has none");
  EXPECT_EQ(refused("", {"--control"}), path("m.json") + ": \"cases\" has none");
  EXPECT_NE(refused(series("rss"), {}).find("m.json: a series without the signal 'heap'"),
            std::string::npos);
  EXPECT_NE(refused(series("heap"), {"--control"}).find("c is no training that leaks on purpose"),
            std::string::npos);
}

TEST_F(BenchCommandsTest, MemoryTellsAtOnceWhereItCannotWrite) {
  const Words one = {"--cases=^none/cpu/1w/1f/train$", "--quick"};
  const auto refused = [&](const std::string& word) {
    Words words = one;
    words.push_back(word);
    return refusal(memory_command(), words, ErrorKind::input_output);
  };
  std::ofstream(path("file")) << "";
  EXPECT_EQ(refused("--out=" + path("no/m.json")),
            path("no/m.json") + ": cannot be written: No such file or directory");
  EXPECT_NE(refused("--svg=" + path("file")).find(path("file")), std::string::npos);
  EXPECT_NE(refused("--peer=" + path("none")).find("none: cannot be read"), std::string::npos);
}

TEST_F(BenchCommandsTest, ReportIsAddedOnceOnly) {
  const std::string first = report("a.json", "2026-11-01", 3), history = path("h.jsonl");
  EXPECT_EQ(printed(track_command(), {history, first}), history + ": 1 run\n");
  const std::string second = report("b.json", "2026-11-02", 3);
  EXPECT_EQ(printed(track_command(), {history, first, second, second}),
            first + ": is in " + history + " already, and is not added again\n" + second +
                ": is in " + history + " already, and is not added again\n" + history +
                ": 2 runs\n");
  EXPECT_EQ(read_history(history).size(), 2u);
}

TEST_F(BenchCommandsTest, AfterAnErrorNoReportIsAdded) {
  const std::string good = report("a.json", "2026-11-01", 3), history = path("h.jsonl");
  std::ofstream(path("bad.json")) << R"({"benchmarks": []})";
  const auto refused = [&](const Words& more, ErrorKind kind) {
    Words words = {history, good};
    words.insert(words.end(), more.begin(), more.end());
    const std::string said = refusal(track_command(), words, kind);
    EXPECT_FALSE(std::filesystem::exists(history)) << said;
    return said;
  };
  EXPECT_EQ(refused({path("none.json")}, ErrorKind::input_output),
            path("none.json") + ": cannot be read: No such file or directory");
  EXPECT_EQ(refused({path("bad.json")}, ErrorKind::data),
            path("bad.json") + ": is no report of py4cast_bench: key 'context' not found");
  EXPECT_EQ(refused({"--svg=" + path("h.svg"), "--filter=none"}, ErrorKind::configuration),
            "--filter none: no case has such a name");
  EXPECT_EQ(refused({"--svg=/dev/full"}, ErrorKind::input_output),
            "/dev/full: cannot be written: No space left on device");
  std::ofstream(path("bad.json")) << R"({"context": {}, "benchmarks": []})";
  EXPECT_EQ(refused({path("bad.json")}, ErrorKind::data),
            path("bad.json") + ": has no result of a benchmark");
}

}  // namespace
}  // namespace py4cast
