// py4cast_bench track
#include <iostream>

#include "bench/commands.h"
#include "bench/history.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

int track(const Arguments& arguments) {
  const std::string& history = arguments.positional[0];
  const std::string what = arguments.text("draw", "share");
  if (what != "share" && what != "time")
    throw Error(ErrorKind::configuration, "--draw ", what, ": share or time");
  for (size_t i = 1; i < arguments.positional.size(); ++i)
    append_history(history, read_report(arguments.positional[i]));
  const std::vector<BenchmarkReport> runs = read_history(history);
  std::cout << history << ": " << runs.size() << (runs.size() == 1 ? " run\n" : " runs\n");
  if (arguments.has("svg"))
    write_file(
        arguments.text("svg"),
        svg_of(history_chart(runs, what == "share" ? HistoryQuantity::share : HistoryQuantity::time,
                             arguments.text("filter", ".*"))));
  return 0;
}

}  // namespace

Command track_command() {
  return {"track",
          "HISTORY [REPORT ...]",
          1,
          1000,
          "Adds reports (--benchmark_out of step and kernels) to a history, a run a line of JSON, "
          "and draws "
          "it: one line per case, commits on the axis.",
          {{"svg", "FILE", "Draw the history there."},
           {"draw", "WHAT",
            "share of the machine's ceiling (default), which survives a change of the "
            "machine, or time."},
           {"filter", "REGEX", "Draw the cases whose names match."}},
          {},
          track};
}

}  // namespace py4cast
