// py4cast_bench track
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "bench/checks.h"
#include "bench/commands.h"
#include "bench/history.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

int track(const Arguments& arguments) {
  const std::string& history = arguments.positional[0];
  const std::string what = arguments.text("draw", "share");
  check_choice("draw", what, {"share", "time"});
  if (!arguments.has("svg")) refuse_options(arguments, {"draw", "filter"}, "goes with --svg only");
  const bool begins = arguments.positional.size() > 1 && !std::filesystem::exists(history);
  std::vector<BenchmarkReport> runs =
      begins ? std::vector<BenchmarkReport>() : read_history(history);
  std::vector<BenchmarkReport> added;
  std::string known;
  for (size_t i = 1; i < arguments.positional.size(); ++i) {
    const std::string& file = arguments.positional[i];
    BenchmarkReport report = read_report(file);
    if (std::ranges::find(runs, report) != runs.end()) {
      known += file + ": is in " + history + " already, and is not added again\n";
      continue;
    }
    runs.push_back(report);
    added.push_back(std::move(report));
  }
  if (!added.empty()) check_writable(history);
  if (arguments.has("svg")) {  // first, so that nothing is added where it fails
    const auto quantity = what == "share" ? HistoryQuantity::share : HistoryQuantity::time;
    write_file(arguments.text("svg"),
               svg_of(history_chart(runs, quantity, arguments.text("filter", ".*"))));
  }
  if (!added.empty()) append_history(history, added);
  std::cout << known << history << ": " << runs.size() << (runs.size() == 1 ? " run\n" : " runs\n");
  return 0;
}

}  // namespace

Command track_command() {
  return {
      "track",
      "HISTORY [REPORT ...]",
      1,
      1000,
      "Adds reports (--benchmark_out of step and kernels) to a history, a run a line of JSON, "
      "and draws it: one line per case, commits on the axis. All reports are added or, after an "
      "error, none; one that is there already is not added again.",
      {{"svg", "FILE", "Draw the history there."},
       {"draw", "WHAT",
        "share of the machine's ceiling (default), which survives a change of the "
        "machine, or time."},
       {"filter", "REGEX", "Draw the cases whose names match."}},
      {},
      track};
}

}  // namespace py4cast
