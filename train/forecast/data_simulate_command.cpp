// py4cast data simulate
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "data/simulation/simulate.h"
#include "data/simulation/simulate_smeagol.h"
#include "data/simulation/simulate_titan.h"
#include "engine/error.h"
#include "engine/files.h"
#include "train/forecast/commands.h"

namespace py4cast {
namespace {

// On a terminal: "hour 12 of 2000".
std::function<void(int64_t, int64_t)> progress_of(const char* what) {
  if (!isatty(STDERR_FILENO)) return {};
  return [what](int64_t done, int64_t total) {
    std::fprintf(stderr, "\r%s %ld of %ld%s", what, static_cast<long>(done),
                 static_cast<long>(total), done == total ? "\n" : "");
  };
}

uint64_t seed_of(const Arguments& arguments) {
  const int64_t seed = arguments.integer("seed", 1);
  if (seed < 0)
    throw Error(ErrorKind::configuration, "command line: '--seed' must be at least 0, not ", seed);
  return static_cast<uint64_t>(seed);
}

void refuse(const Arguments& arguments, const std::vector<std::string>& options,
            const std::string& layout) {
  for (const std::string& option : options)
    if (arguments.has(option))
      throw Error(ErrorKind::configuration, "command line: '--", option,
                  "' does not go with '--layout ", layout, "'");
}

int data_simulate(const Arguments& arguments) {
  const std::string layout = arguments.text("layout", "cf"), out = arguments.required("out");
  check_output(out, arguments.has("overwrite"));
  if (layout == "cf") {
    refuse(arguments, {"runs", "members"}, layout);
    simulate({.grid = arguments.integer("grid", 128),
              .hours = arguments.integer("hours", 2000),
              .seed = seed_of(arguments),
              .out = out,
              .progress = progress_of("hour")});
  } else if (layout == "smeagol") {
    simulate_smeagol({.root = out,
                      .grid = arguments.integer("grid", 512),
                      .members = arguments.integer("members", 2),
                      .runs = arguments.integer("runs", 4),
                      .end_term = static_cast<double>(arguments.integer("hours", 9)),
                      .seed = seed_of(arguments),
                      .progress = progress_of("run and member")});
  } else if (layout == "titan") {
    refuse(arguments, {"runs", "members"}, layout);
    simulate_titan({.root = out,
                    .grid = arguments.integer("grid", 512),
                    .hours = arguments.integer("hours", 12),
                    .seed = seed_of(arguments),
                    .progress = progress_of("hour")});
  } else {
    throw Error(ErrorKind::configuration,
                "command line: '--layout' must be 'cf', 'smeagol' or 'titan', not '", layout,
                "'; the nearest is '", nearest_name(layout, {"cf", "smeagol", "titan"}), "'");
  }
  std::cout << "written: " << out << '\n';
  return 0;
}

}  // namespace

Command data_simulate_command() {
  return {"data simulate",
          "",
          0,
          0,
          "Makes weather: shallow water on a rotating planet over relief, with temperature, "
          "moisture and a day cycle, as CF netCDF or as a tree of the data sets 'smeagol' or "
          "'titan'.",
          {{"layout", "NAME",
            "cf: one CF netCDF file (default); smeagol: a tree of runs; titan: a tree of hours, in "
            "GRIB2."},
           {"grid", "N", "Rows and columns (default 128; smeagol and titan: 512)."},
           {"hours", "N",
            "Hourly states (default 2000); smeagol: end of the terms (default 9); titan: hours at "
            "the start of each period (default 12)."},
           {"runs", "N", "Of smeagol: runs at the start of each period (default 4)."},
           {"members", "N", "Of smeagol: members of a run (default 2)."},
           {"seed", "N", "Seed of the first state and the relief (default 1)."},
           {"out", "FILE", "The netCDF file, or the folder of the tree, to write."},
           {"overwrite", "", "Replace FILE, or files of the tree, if they exist."}},
          {},
          data_simulate};
}

}  // namespace py4cast
