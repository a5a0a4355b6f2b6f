// A small honest weather of its own: data for demonstrations and trials at any grid size.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace py4cast {

struct SimulationSettings {
  int64_t grid = 128;  // rows and columns
  int64_t hours = 2000;
  uint64_t seed = 1;
  std::string out;
  int64_t spin_up_hours = 120;  // before the first record
  // Called after each record.
  std::function<void(int64_t done, int64_t total)> progress;
};

// Simulates a square of 2780 km around 47 N, 5 E and writes hourly fields from 2020-03-01 on as a
// CF netCDF-3 file with packed values, record by record:
//   u10, v10 [m s-1], t2m [K], q [kg kg-1], z [m]; constant: orography [m], lsm [1].
// One layer of fluid (data/simulation/shallow_water.h) follows a meandering jet and travelling
// waves at its rim, and weakly inside; temperature and moisture are carried along, with fronts
// along the jet, a day cycle over land, evaporation, condensation and its heat. Relief and coasts
// come from the seed and, in kilometres, not from the grid. The same settings give the same file
// with any number of threads. Error(configuration): a grid below 16 points, no hours;
// Error(numeric): an unstable flow; Error(input_output): see data/netcdf/netcdf_writer.h.
void simulate(const SimulationSettings& settings);

}  // namespace py4cast
