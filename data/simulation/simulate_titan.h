// A tree in the layout of the data set "titan", from simulated weather.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace py4cast {

struct TitanSimulation {
  std::string root;    // gets conf_GRID.grib and grib/2023-01-01_06h00/...
  int64_t grid = 512;  // rows and columns of the finest grid
  int64_t hours = 12;  // of each period of the default configuration, from its start on
  uint64_t seed = 1;
  int64_t spin_up_hours = 24;  // before each period
  // Called after each hour.
  std::function<void(int64_t done, int64_t total)> progress;
};

// The files of data/titan/titan_parameters.h but ANTILOPE's, in GRIB2 by ecCodes, 24 pressure levels; and the
// altitude on both of AROME's grids. Grids cover the original's areas: PAAROME_1S100 with `grid` rows and
// columns, PAAROME_1S40 with steps 2.5 times as long, PA_01D ten times. Weather is simulated on the first
// and interpolated to the others; ARPEGE's has beyond the first what is at its edge. Fields on levels are those
// of the one layer of fluid, changed with the height. The same settings give the same files.
// Error(configuration): nothing to simulate, or the program was built without ecCodes; Error(input_output):
// the folder has a tree already.
void simulate_titan(const TitanSimulation& settings);

}  // namespace py4cast
