// Fields of one grid at the points of another.
#pragma once

#include <cstdint>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

// At a point between four neighbours of the grid `from`, a of the way down from the upper to the lower row and
// b of the way from the left to the right column,
//   value = (1 - a)(1 - b) v00 + (1 - a) b v01 + a (1 - b) v10 + a b v11.
// On grids of latitudes and longitudes a and b are shares of degrees; on others (projected, rotated) those at
// which the neighbours' places, seen from above the point on its tangent plane, are 0 by the same formula. A
// global grid goes on from its last column to its first. A neighbour with weight 0 does not take part, so a
// missing value (NaN) makes missing only what it has a share in.
class Bilinear {
 public:
  // `wanted` [points of `to`]: those to have values; empty: all. Error(data): a wanted point lies outside of
  // `from` (by more than a millionth of a cell); names it and both areas. `whose` begins that sentence.
  Bilinear(const Grid& from, const Grid& to, const std::vector<bool>& wanted,
           const std::string& whose);

  const Region& region() const { return region_; }  // of `from`: all that is needed
  // The wanted points of `to`, in their order.
  const std::vector<int64_t>& points() const { return points_; }
  // values [region] -> out [points of `to`]; `elsewhere` at points that are not wanted.
  void operator()(const float* values, float* out, float elsewhere) const;

 private:
  // Of a point: places in the region and their weights.
  struct Taps {
    int32_t place[4];
    double weight[4];
  };
  Region region_;
  int64_t all_points_ = 0;
  std::vector<int64_t> points_;
  std::vector<Taps> taps_;  // of points_
};

}  // namespace py4cast
