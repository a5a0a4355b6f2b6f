// Fields as pictures.
#pragma once

#include <span>
#include <string>

#include "data/weather/source.h"
#include "train/picture.h"

namespace py4cast {

// Truth, forecast and forecast - truth side by side, the north above. The first two have the colours of "plasma" from the
// lowest to the highest value of the truth; the third is blue below and red above 0, up to its largest size. Points outside
// of the interior (0) are paler, missing values (NaN) grey. Small fields are magnified, of large ones points are averaged, so
// that the longer side of each has 128 to 256 points.
// truth, forecast: [rows][columns] of the grid; interior: likewise, 1 or 0.
Picture comparison_picture(const std::string& tag, const Grid& grid, std::span<const float> truth,
                           std::span<const float> forecast, std::span<const float> interior);

}  // namespace py4cast
