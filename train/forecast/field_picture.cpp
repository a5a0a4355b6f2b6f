#include "train/forecast/field_picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace py4cast {
namespace {

constexpr int64_t most_points = 256, gap = 4;
using Color = std::array<double, 3>;

// Equal distances between them. Source of the first: matplotlib's "plasma"; of the second: ColorBrewer's "RdBu".
constexpr std::array plasma = {Color{13, 8, 135},   Color{70, 3, 159},   Color{114, 1, 168},
                               Color{156, 23, 158}, Color{189, 55, 134}, Color{216, 87, 107},
                               Color{237, 121, 83}, Color{251, 159, 58}, Color{253, 202, 38},
                               Color{240, 249, 33}};
constexpr std::array blue_to_red = {Color{33, 102, 172}, Color{146, 197, 222}, Color{247, 247, 247},
                                    Color{244, 165, 130}, Color{178, 24, 43}};
constexpr Color grey = {128, 128, 128};

// x from 0 to 1, also beyond; NaN: missing.
Color color_of(std::span<const Color> colors, double x) {
  if (std::isnan(x)) return grey;
  const double at = std::clamp(x, 0.0, 1.0) * static_cast<double>(colors.size() - 1);
  const auto first = std::min(static_cast<size_t>(at), colors.size() - 2);
  const double share = at - static_cast<double>(first);
  Color color;
  for (size_t c = 0; c < 3; ++c)
    color[c] = (1 - share) * colors[first][c] + share * colors[first + 1][c];
  return color;
}

// Blocks of block x block points are averaged, then drawn as zoom x zoom pixels.
struct Scale {
  int64_t rows, columns, block, zoom;
  bool turned;  // the first row is the southern one
  int64_t height() const { return (rows + block - 1) / block * zoom; }
  int64_t width() const { return (columns + block - 1) / block * zoom; }

  // Of the pixel; NaN: no value there.
  double mean(std::span<const float> field, int64_t line, int64_t column) const {
    const int64_t blocks = (rows + block - 1) / block,
                  row = (turned ? blocks - 1 - line / zoom : line / zoom) * block,
                  first = column / zoom * block;
    double sum = 0, count = 0;
    for (int64_t y = row; y < std::min(rows, row + block); ++y)
      for (int64_t x = first; x < std::min(columns, first + block); ++x) {
        const double value = field[static_cast<size_t>(y * columns + x)];
        if (!std::isfinite(value)) continue;
        sum += value;
        ++count;
      }
    return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
  }
};

}  // namespace

Picture comparison_picture(const std::string& tag, const Grid& grid, std::span<const float> truth,
                           std::span<const float> forecast, std::span<const float> interior) {
  const int64_t longest = std::max(grid.rows, grid.columns),
                block = (longest + most_points - 1) / most_points;
  const Scale scale{grid.rows, grid.columns, block,
                    std::max<int64_t>(1, most_points / ((longest + block - 1) / block)),
                    grid.latitude.front() < grid.latitude.back()};
  const int64_t height = scale.height(), panel = scale.width(), width = 3 * panel + 2 * gap;
  double low = std::numeric_limits<double>::infinity(), high = -low, largest = 0;
  std::vector<float> difference(truth.size());
  for (size_t i = 0; i < truth.size(); ++i) {
    difference[i] = forecast[i] - truth[i];
    if (std::isfinite(difference[i]))
      largest = std::fmax(largest, std::abs(static_cast<double>(difference[i])));
    if (!std::isfinite(truth[i])) continue;
    low = std::fmin(low, static_cast<double>(truth[i]));
    high = std::fmax(high, static_cast<double>(truth[i]));
  }
  const double range = high > low ? high - low : 1, bound = largest > 0 ? largest : 1;
  std::vector<unsigned char> rgb(static_cast<size_t>(3 * height * width), 255);
  const auto draw = [&](int64_t place, std::span<const float> field, auto color) {
    for (int64_t line = 0; line < height; ++line)
      for (int64_t column = 0; column < panel; ++column) {
        const Color drawn = color(scale.mean(field, line, column));
        const double inside = 0.6 + 0.4 * scale.mean(interior, line, column);
        for (size_t c = 0; c < 3; ++c)
          rgb[static_cast<size_t>(3 * (line * width + place * (panel + gap) + column)) + c] =
              static_cast<unsigned char>(std::lround(255 - inside * (255 - drawn[c])));
      }
  };
  const auto absolute = [&](double x) { return color_of(plasma, (x - low) / range); };
  draw(0, truth, absolute);
  draw(1, forecast, absolute);
  draw(2, difference, [&](double x) { return color_of(blue_to_red, 0.5 + x / bound / 2); });
  return picture_of(tag, rgb, height, width);
}

}  // namespace py4cast
