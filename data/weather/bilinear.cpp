#include "data/weather/bilinear.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "data/weather/conformal.h"
#include "engine/error.h"

namespace py4cast {
namespace {

constexpr double edge = 1e-6;  // of a cell: rounding of coordinates

// A place between the rows and columns of a grid.
struct Between {
  double row = 0, column = 0;
};

class Finder {
 public:
  virtual ~Finder() = default;
  virtual std::optional<Between> find(double latitude, double longitude) = 0;
};

// The place of a value on a rising or falling axis.
std::optional<double> place_on(const std::vector<double>& axis, double value) {
  const auto last = static_cast<int64_t>(axis.size()) - 1;
  if (last == 0) return std::abs(value - axis[0]) <= edge ? std::optional(0.0) : std::nullopt;
  const double sign = axis.back() > axis.front() ? 1 : -1;
  const auto after =
      std::ranges::upper_bound(axis, sign * value, {}, [sign](double each) { return sign * each; });
  const int64_t i = std::clamp<int64_t>(after - axis.begin() - 1, 0, last - 1);
  const double low = axis[static_cast<size_t>(i)], high = axis[static_cast<size_t>(i + 1)];
  const double share = (value - low) / (high - low);
  if (!(share >= -edge && share <= 1 + edge)) return {};
  return static_cast<double>(i) + std::clamp(share, 0.0, 1.0);
}

// Latitude by row, longitude by column.
class DegreeFinder : public Finder {
 public:
  explicit DegreeFinder(const Grid& grid) {
    for (int64_t row = 0; row < grid.rows; ++row)
      latitude_.push_back(grid.latitude[static_cast<size_t>(row * grid.columns)]);
    longitude_.assign(grid.longitude.begin(), grid.longitude.begin() + grid.columns);
    const size_t count = longitude_.size();
    if (count < 2) return;
    // The first column again, behind the last one.
    const double step = longitude_[count - 1] - longitude_[count - 2],
                 whole = std::copysign(360, step), next = longitude_.front() + whole;
    if (std::abs(next - longitude_.back()) <= (1 + 1e-3) * std::abs(step))
      longitude_.push_back(next);
  }
  std::optional<Between> find(double latitude, double longitude) override {
    const auto row = place_on(latitude_, latitude);
    if (!row) return {};
    const auto [low, high] = std::minmax(longitude_.front(), longitude_.back());
    for (double turned = longitude - 360 * std::floor((longitude - low) / 360 + edge);
         turned <= high + edge; turned += 360)
      if (const auto column = place_on(longitude_, turned)) return Between{*row, *column};
    return {};
  }

 private:
  std::vector<double> latitude_, longitude_;
};

using Vector = std::array<double, 3>;

double dot(const Vector& a, const Vector& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// Newton's steps in the cells of any grid without folds.
class CellFinder : public Finder {
 public:
  explicit CellFinder(const Grid& grid) : rows_(grid.rows), columns_(grid.columns) {
    for (size_t i = 0; i < grid.latitude.size(); ++i)
      points_.push_back(on_sphere(grid.latitude[i], grid.longitude[i]));
  }
  std::optional<Between> find(double latitude, double longitude) override {
    if (rows_ < 2 || columns_ < 2) return {};
    const double p = latitude * radians_per_degree, l = longitude * radians_per_degree;
    east_ = {-std::sin(l), std::cos(l), 0};
    north_ = {-std::sin(p) * std::cos(l), -std::sin(p) * std::sin(l), std::cos(p)};
    const Vector up = on_sphere(latitude, longitude);
    // From the last point, since points come in their order; else from the nearest of the grid.
    if (last_ && near(up, *last_))
      if (const auto found = newton(*last_)) return last_ = found;
    const auto nearest =
        std::ranges::max_element(points_, {}, [&](const Vector& v) { return dot(up, v); });
    const int64_t i = nearest - points_.begin(), row = i / columns_, column = i % columns_;
    return last_ = newton({static_cast<double>(row), static_cast<double>(column)});
  }

 private:
  static Vector on_sphere(double latitude, double longitude) {
    const double p = latitude * radians_per_degree, l = longitude * radians_per_degree;
    return {std::cos(p) * std::cos(l), std::cos(p) * std::sin(l), std::sin(p)};
  }
  const Vector& at(int64_t row, int64_t column) const {
    return points_[static_cast<size_t>(row * columns_ + column)];
  }
  // On the same side of the Earth.
  bool near(const Vector& up, const Between& place) const {
    return dot(up, at(static_cast<int64_t>(place.row), static_cast<int64_t>(place.column))) > 0.5;
  }
  std::optional<Between> newton(Between place) const {
    const auto high_row = static_cast<double>(rows_ - 1),
               high_column = static_cast<double>(columns_ - 1);
    for (int step = 0; step < 50; ++step) {
      const auto row = std::min(static_cast<int64_t>(place.row), rows_ - 2),
                 column = std::min(static_cast<int64_t>(place.column), columns_ - 2);
      const double a = place.row - static_cast<double>(row),
                   b = place.column - static_cast<double>(column);
      double at_place[2], down[2],
          right[2];  // where that place is, seen from the point; its slopes
      for (const size_t axis : {0, 1}) {
        const Vector& direction = axis ? north_ : east_;
        const double v00 = dot(at(row, column), direction),
                     v01 = dot(at(row, column + 1), direction),
                     v10 = dot(at(row + 1, column), direction),
                     v11 = dot(at(row + 1, column + 1), direction);
        at_place[axis] = (1 - a) * ((1 - b) * v00 + b * v01) + a * ((1 - b) * v10 + b * v11);
        down[axis] = (1 - b) * (v10 - v00) + b * (v11 - v01);
        right[axis] = (1 - a) * (v01 - v00) + a * (v11 - v10);
      }
      const double determinant = down[0] * right[1] - down[1] * right[0];
      const Between wanted{
          place.row - (at_place[0] * right[1] - at_place[1] * right[0]) / determinant,
          place.column - (down[0] * at_place[1] - down[1] * at_place[0]) / determinant};
      if (!std::isfinite(wanted.row) || !std::isfinite(wanted.column)) return {};
      const Between next{std::clamp(wanted.row, 0.0, high_row),
                         std::clamp(wanted.column, 0.0, high_column)};
      const double outside =
          std::max(std::abs(next.row - wanted.row), std::abs(next.column - wanted.column));
      const double moved =
          std::max(std::abs(next.row - place.row), std::abs(next.column - place.column));
      place = next;
      if (moved < 1e-9) return outside <= edge ? std::optional(place) : std::nullopt;
    }
    return {};
  }

  int64_t rows_, columns_;
  std::vector<Vector> points_;
  Vector east_{}, north_{};
  std::optional<Between> last_;
};

std::string area_of(const Grid& grid) {
  const auto [south, north] = std::ranges::minmax(grid.latitude);
  const auto [west, east] = std::ranges::minmax(grid.longitude);
  std::ostringstream text;
  text << "latitudes " << south << " to " << north << ", longitudes " << west << " to " << east;
  return text.str();
}

}  // namespace

Bilinear::Bilinear(const Grid& from, const Grid& to, const std::vector<bool>& wanted,
                   const std::string& whose)
    : all_points_(to.rows * to.columns) {
  const auto points = static_cast<size_t>(to.rows * to.columns);
  const auto known = static_cast<size_t>(from.rows * from.columns);
  if (from.latitude.size() != known || from.longitude.size() != known ||
      to.latitude.size() != points || to.longitude.size() != points)
    throw Error(ErrorKind::data, whose,
                ": to be interpolated, both grids need latitudes and longitudes");
  const std::unique_ptr<Finder> finder =
      from.separable ? std::unique_ptr<Finder>(std::make_unique<DegreeFinder>(from))
                     : std::make_unique<CellFinder>(from);
  std::vector<std::array<int64_t, 4>> rows_and_columns;  // upper, lower; left, right
  region_ = {from.rows, 0, from.columns, 0};
  for (size_t i = 0; i < points; ++i) {
    if (!wanted.empty() && !wanted[i]) continue;
    const auto place = finder->find(to.latitude[i], to.longitude[i]);
    if (!place) {
      std::ostringstream point;
      point << "latitude " << to.latitude[i] << ", longitude " << to.longitude[i];
      throw Error(ErrorKind::data, whose, ": the point at ", point.str(), " of the data set (",
                  area_of(to), ") lies outside of their grid (", area_of(from), ")");
    }
    const auto row = static_cast<int64_t>(place->row), column = static_cast<int64_t>(place->column);
    const double a = place->row - static_cast<double>(row),
                 b = place->column - static_cast<double>(column);
    const int64_t left = column % from.columns, right = (column + 1) % from.columns;
    const std::array<int64_t, 4> cell = {row, std::min(row + 1, from.rows - 1), left,
                                         b > 0 ? right : left};
    Taps taps{};
    for (size_t k = 0; k < 4; ++k) taps.weight[k] = (k / 2 ? a : 1 - a) * (k % 2 ? b : 1 - b);
    taps_.push_back(taps);
    points_.push_back(static_cast<int64_t>(i));
    rows_and_columns.push_back(cell);
    region_.row_begin = std::min(region_.row_begin, cell[0]);
    region_.row_end = std::max(region_.row_end, cell[1] + 1);
    region_.column_begin = std::min({region_.column_begin, cell[2], cell[3]});
    region_.column_end = std::max({region_.column_end, cell[2] + 1, cell[3] + 1});
  }
  for (size_t i = 0; i < taps_.size(); ++i)
    for (size_t k = 0; k < 4; ++k) {
      const int64_t row = rows_and_columns[i][k / 2], column = rows_and_columns[i][2 + k % 2];
      taps_[i].place[k] = static_cast<int32_t>((row - region_.row_begin) * region_.columns() +
                                               column - region_.column_begin);
    }
}

void Bilinear::operator()(const float* values, float* out, float elsewhere) const {
  if (std::ssize(points_) < all_points_) std::fill_n(out, all_points_, elsewhere);
  for (size_t i = 0; i < points_.size(); ++i) {
    const Taps& taps = taps_[i];
    double sum = 0;
    for (int k = 0; k < 4; ++k)
      if (taps.weight[k] > 0) sum += taps.weight[k] * static_cast<double>(values[taps.place[k]]);
    out[points_[i]] = static_cast<float>(sum);
  }
}

}  // namespace py4cast
