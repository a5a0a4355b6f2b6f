// A field on another number of points over the same area.
#pragma once

#include <cstdint>
#include <vector>

namespace py4cast {

// values [rows, columns] -> [to_rows, to_columns], axis by axis, in double precision. With f = n / m for an
// axis of n points that becomes one of m:
//   filter: for f > 1 a Gaussian of standard deviation s = (f - 1) / 2 points, cut at r = floor(4 s + 1/2):
//           g(i) = sum over |k| <= r of w(k) v(i + k),  w(k) = exp(-k^2 / (2 s^2)) / sum of these
//   linear: out(j) = g at (j + 1/2) f - 1/2, between its two neighbours
// Beyond the ends v is mirrored about the last point: v(-k) = v(k). A missing value (NaN) makes all missing that
// it takes part in. scikit-image's resize(..., order=1, mode="reflect", anti_aliasing=True) gives the same.
std::vector<float> resize(const std::vector<float>& values, int64_t rows, int64_t columns,
                          int64_t to_rows, int64_t to_columns);

}  // namespace py4cast
