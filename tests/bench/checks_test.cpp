#include "bench/checks.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/files.h"
#include "tests/engine/error_of.h"

namespace py4cast {
namespace {

using Words = std::vector<std::string>;

TEST(BenchChecks, WordsStandBetweenCommas) {
  EXPECT_EQ(words_of("unet,hilam"), (Words{"unet", "hilam"}));
  EXPECT_EQ(words_of("unet,,"), (Words{"unet", "", ""}));
  EXPECT_EQ(words_of(""), (Words{""}));
}

TEST(BenchChecks, ChoiceIsRefusedWithTheNearest) {
  EXPECT_NO_THROW(check_choice("draw", "time", {"share", "time"}));
  EXPECT_EQ(error_of(
                [] {
                  check_choice("draw", "tims", {"share", "time"});
                },
                ErrorKind::configuration),
            "command line: '--draw' can be share, time, not 'tims'; did you mean 'time'?");
}

TEST(BenchChecks, OptionsAreRefused) {
  Arguments arguments;
  arguments.options["sweep"] = "";
  EXPECT_NO_THROW(refuse_options(arguments, {"full"}, "goes with --tables only"));
  EXPECT_EQ(error_of(
                [&] {
                  refuse_options(arguments, {"full", "sweep"}, "goes with --tables only");
                },
                ErrorKind::configuration),
            "command line: '--sweep' goes with --tables only");
}

TEST(BenchChecks, WhatCannotBeWrittenIsTold) {
  const std::string folder = testing::TempDir() + "bench_checks";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const std::string file = folder + "/report.json";
  check_writable(file);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::ofstream(file) << "before";
  check_writable(file);
  EXPECT_EQ(read_file(file), "before");
  check_writable("/dev/full");  // which only a write finds out
  const auto refusal = [](const std::string& which) {
    return error_of([&] { check_writable(which); }, ErrorKind::input_output);
  };
  EXPECT_EQ(refusal(folder), folder + ": cannot be written: Is a directory");
  EXPECT_EQ(refusal(folder + "/no/r.json"),
            folder + "/no/r.json: cannot be written: No such file or directory");
  EXPECT_EQ(refusal(""), ": cannot be written: No such file or directory");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace py4cast
