// A tree in the layout of the data set "smeagol", from simulated weather.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

struct SmeagolSimulation {
  std::string root;     // gets nc/france/arome_franmgsp32/...
  int64_t grid = 512;   // rows and columns
  int64_t members = 2;  // 0, 1, ...
  int64_t runs = 4;     // of each period of the default configuration, from its start on
  double end_term = 9;  // of each run, in hours: terms 3, 3.25, ... before it
  uint64_t seed = 1;
  int64_t spin_up_hours = 24;  // before each run
  // Called after each member of a run.
  std::function<void(int64_t done, int64_t total)> progress;
};

// The files of the default configuration (data/smeagol/smeagol_dataset.h): for each run and member
// mb_NNN_TEMPERATURE.nc, WIND.U.PHYS, WIND.V.PHYS, HUMI.SPECIFI on 15 model levels and mb_NNN_surface.nc
// with 11 variables, every 15 minutes; Mesh_and_SurfGeo.nc with relief and land on a Lambert conformal grid
// around 2 E, 46.7 N. Runs of one simulation continue each other; members have their waves at other
// times. Fields on levels are those of the one layer of fluid, changed with the height. The same settings
// give the same files. Error(configuration): nothing to simulate; Error(input_output): the folder has a
// tree already.
void simulate_smeagol(const SmeagolSimulation& settings);

}  // namespace py4cast
