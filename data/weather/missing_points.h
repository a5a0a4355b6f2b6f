// Points of a stored field that are to count as missing.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/fields/field_plane.h"

namespace py4cast {

// Writes the number that stands for a missing value over those of `points` (true: missing). False: the
// packing has no such number, and nothing is written.
bool make_missing(const Packing& packing, const std::vector<bool>& points, std::byte* numbers);

}  // namespace py4cast
