// py4cast_bench compare
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "bench/checks.h"
#include "bench/child_process.h"
#include "bench/commands.h"
#include "bench/compare.h"
#include "bench/google_benchmark.h"
#include "bench/report.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

std::string program_of(const std::string& build) {
  const fs::path program =
      fs::is_directory(build) ? fs::path(build) / "py4cast_bench" : fs::path(build);
  if (!fs::is_regular_file(program))
    throw Error(ErrorKind::input_output, program.string(), ": there is no such program");
  if (::access(program.c_str(), X_OK) != 0)
    throw Error(ErrorKind::input_output, program.string(),
                ": is no program, it cannot be executed");
  return fs::absolute(program).string();
}

// One run of a build; its times are added.
void add_run(const std::string& program, const Arguments& arguments, const ScratchFolder& folder,
             Times& times) {
  const std::string report = folder.file("report.json");
  std::vector<std::string> words = {program, arguments.text("command", "step"),
                                    "--benchmark_out=" + report};
  for (const char* name : {"benchmark_filter", "device", "size", "benchmark_min_time"})
    if (arguments.has(name)) words.push_back("--" + std::string(name) + "=" + arguments.text(name));
  fs::remove(report);
  if (const int code = call_program(program, words, STDERR_FILENO); code != 0)
    throw Error(ErrorKind::internal, program, " ", words[1], ": failed with exit code ", code,
                "; what it said of it stands above");
  if (!fs::exists(report))
    throw Error(ErrorKind::internal, program, " ", words[1],
                ": wrote no report, though --benchmark_out asked for it; is it py4cast_bench?");
  for (const auto& [name, result] : read_report(report).results)
    times[name].push_back(result.milliseconds);
}

int compare(const Arguments& arguments) {
  const std::string old_program = program_of(arguments.positional[0]),
                    new_program = program_of(arguments.positional[1]);
  const int64_t runs = arguments.integer("runs", 5);
  check_choice("command", arguments.text("command", "step"), {"step", "kernels"});
  if (runs < 3)
    throw Error(ErrorKind::configuration, "--runs ", runs, ": fewer than 3 say nothing");
  const ScratchFolder folder;
  Times before, after;
  for (int64_t run = 0; run < runs; ++run) {
    std::cerr << "run " << run + 1 << " of " << runs << "\n";
    const bool turned = run % 2 == 1;  // what warms up or slows down meanwhile meets both
    if (!turned) add_run(old_program, arguments, folder, before);
    add_run(new_program, arguments, folder, after);
    if (turned) add_run(old_program, arguments, folder, before);
  }
  std::cout << comparison_table(before, after);
  return any_worse(before, after) ? 1 : 0;
}

}  // namespace

Command compare_command() {
  return {"compare",
          "OLD NEW",
          2,
          2,
          "Runs two builds in turn (folders or programs) and compares them case by case. A case is "
          "slower "
          "only if its best new run is slower than its worst old one. The exit code is 1 if a case "
          "is slower, or is gone from the new build or fails in it.",
          {{"command", "NAME", "What is run: step (default) or kernels."},
           {"runs", "N", "Of each build: 5; 3 or more."},
           {"benchmark_filter", "REGEX", "The cases."},
           {"benchmark_min_time", "SECONDS", "Least time of a case."},
           {"device", "DEVICE", "Where to run: cpu (default), cuda, cuda:N."},
           {"size", "N", "Points on a side of the grid."}},
          {},
          compare};
}

}  // namespace py4cast
