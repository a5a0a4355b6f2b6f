// The files of a smeagol tree, by name:
//
//   ROOT/nc/DOMAIN/MODEL_GEOMETRY/constant/Mesh_and_SurfGeo.nc
//   ROOT/nc/DOMAIN/MODEL_GEOMETRY/20220806H03/mb_004_TEMPERATURE.nc   member 4 of the run of 03 UTC
//   ROOT/nc/DOMAIN/MODEL_GEOMETRY/20220806H03/mb_004_surface.nc       all variables without levels
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

// Which tree, and what of it.
struct SmeagolPlace {
  std::string root, domain, model, geometry;
  std::string folder() const;
};

// The paths in the folder of one tree.
std::string smeagol_constants(const std::string& folder);
std::string smeagol_file(const std::string& folder, Time run, int64_t member,
                         const std::string& stem);

struct SmeagolTree {
  static constexpr const char* surface = "surface";

  std::string folder;
  std::vector<Time> runs;  // sorted
  // By stem ("TEMPERATURE", "surface"): the runs (indices) and members that have that file.
  std::map<std::string, std::set<std::pair<int64_t, int64_t>>> files;
  int64_t members = 0;  // one more than the highest number

  std::string path(const std::string& stem, int64_t run, int64_t member) const;
};

// Lists the folder, without opening a file. Error(data): it is not there (with the nearest name), or has
// no run.
SmeagolTree list_smeagol_tree(const SmeagolPlace& place);

}  // namespace py4cast
