// py4cast data simulate
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "data/simulation/simulate.h"
#include "engine/error.h"
#include "train/programs/commands.h"

namespace py4cast {

int run_data_simulate(const SimulateRequest& request) {
  if (request.seed < 0)
    throw Error(ErrorKind::configuration, "command line: '--seed' must be at least 0, not ",
                request.seed);
  SimulationSettings settings;
  settings.grid = request.grid;
  settings.hours = request.hours;
  settings.seed = static_cast<uint64_t>(request.seed);
  settings.out = request.out;
  if (isatty(STDERR_FILENO))
    settings.progress = [](int64_t done, int64_t total) {
      std::fprintf(stderr, "\rhour %ld of %ld%s", static_cast<long>(done), static_cast<long>(total),
                   done == total ? "\n" : "");
    };
  simulate(settings);
  std::cout << "written: " << request.out << '\n';
  return 0;
}

}  // namespace py4cast
