// py4cast data simulate
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "data/simulation/simulate.h"
#include "engine/error.h"
#include "train/forecast/commands.h"

namespace py4cast {

namespace {

int data_simulate(const Arguments& arguments) {
  const int64_t seed = arguments.integer("seed", 1);
  if (seed < 0)
    throw Error(ErrorKind::configuration, "command line: '--seed' must be at least 0, not ", seed);
  SimulationSettings settings;
  settings.grid = arguments.integer("grid", 128);
  settings.hours = arguments.integer("hours", 2000);
  settings.seed = static_cast<uint64_t>(seed);
  settings.out = arguments.required("out");
  if (isatty(STDERR_FILENO))
    settings.progress = [](int64_t done, int64_t total) {
      std::fprintf(stderr, "\rhour %ld of %ld%s", static_cast<long>(done), static_cast<long>(total),
                   done == total ? "\n" : "");
    };
  simulate(settings);
  std::cout << "written: " << settings.out << '\n';
  return 0;
}

}  // namespace

Command data_simulate_command() {
  return {"data simulate",
          "",
          0,
          0,
          "Makes weather: shallow water on a rotating planet over relief, with temperature, "
          "moisture and a day cycle, as CF netCDF.",
          {{"grid", "N", "Rows and columns (default 128)."},
           {"hours", "N", "Hourly states (default 2000)."},
           {"seed", "N", "Seed of the first state and the relief (default 1)."},
           {"out", "FILE", "The netCDF file to write."}},
          {},
          data_simulate};
}

}  // namespace py4cast
