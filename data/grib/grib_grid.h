// The grid of a GRIB message, and the order of its numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/grib/grib_handle.h"
#include "data/weather/source.h"

namespace py4cast {

// How the numbers of a message lie on rows x columns (code table 3.4 of edition 2, 8 of edition 1).
struct GribOrder {
  int64_t rows = 0, columns = 0;
  bool from_east = false, from_south = false;
  bool by_columns = false;   // neighbours in the message stand below one another
  bool alternating = false;  // every second line runs backwards
  // The place in the message of the point in a row counted from the north and a column counted from the
  // west.
  int64_t place(int64_t row, int64_t column) const;
};

struct GribGrid {
  Grid grid;
  GribOrder order;
  std::string type;  // ecCodes' gridType
};

// However the message scans, row 0 is the northernmost and column 0 the westernmost (of projected grids:
// largest y, smallest x). The western edge of a grid of latitudes and longitudes is in [-180, 180).
// Known: regular_ll, rotated_ll, regular_gg, and lambert, polar_stereographic and mercator on spheres and
// ellipsoids. Error(data): others, with what makes such a grid of them; corners that contradict the
// scanning mode; more than most_points points.
GribGrid read_grib_grid(const GribHandle& handle);

// Sets the keys of a message of edition 2 to a grid; its numbers then lie row by row, as those of the grid.
// Known: what read_grib_grid gives, and any even latitudes and longitudes, and planes in metres or degrees whose
// mapping has the numbers of CF. `keep`: the message is on a larger grid of the same kind, whose projection and
// earth it keeps. Error(data): another grid.
void set_grib_grid(GribHandle& handle, const Grid& grid, bool keep = false);

// Error(data): the message's points lie elsewhere than the latitudes and longitudes of the grid that it was set to,
// further than a hundredth of their distance and 100 m: its mapping has numbers that are not known, or contradicts them.
void check_grib_grid(const GribHandle& handle, const Grid& grid);

constexpr int64_t most_grib_points = 100'000'000;

}  // namespace py4cast
