#include "data/grib/grib_grid.h"

#include <algorithm>
#include <cmath>

#include "data/weather/conformal.h"
#include "engine/error.h"

namespace py4cast {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::data, what);
}

GribOrder read_order(const GribHandle& handle) {
  GribOrder order;
  order.columns = handle.integer("Ni");
  order.rows = handle.integer("Nj");
  if (order.rows < 1 || order.columns < 1 || order.rows > most_grib_points / order.columns)
    refuse("a grid of " + std::to_string(order.rows) + " x " + std::to_string(order.columns) +
           " points cannot be read");
  order.from_east = handle.flag("iScansNegatively");
  order.from_south = handle.flag("jScansPositively");
  order.by_columns = handle.flag("jPointsAreConsecutive");
  order.alternating = handle.flag("alternativeRowScanning");
  return order;
}

std::vector<double> evenly(double first, double last, int64_t count) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(count == 1 ? first
                                : first + (last - first) * static_cast<double>(i) /
                                              static_cast<double>(count - 1));
  return values;
}

// The columns from west to east; the last may be beyond 180.
std::vector<double> longitudes(const GribHandle& handle, const GribOrder& order) {
  double west = handle.number("longitudeOfFirstGridPointInDegrees"),
         east = handle.number("longitudeOfLastGridPointInDegrees");
  if (order.from_east) std::swap(west, east);
  const double turns = 360 * std::floor((west + 180) / 360);
  west -= turns;
  east -= turns;
  if (order.columns > 1) east -= 360 * std::ceil((east - west) / 360 - 1);  // in (west, west + 360]
  return evenly(west, east, order.columns);
}

// The rows from north to south: evenly, or those of a Gaussian grid.
std::vector<double> latitudes(const GribHandle& handle, const GribOrder& order, bool gaussian) {
  double north = handle.number("latitudeOfFirstGridPointInDegrees"),
         south = handle.number("latitudeOfLastGridPointInDegrees");
  if (order.from_south) std::swap(north, south);
  if (order.rows > 1 && !(north > south))
    refuse("the latitudes of the first and the last row contradict the scanning mode");
  if (!gaussian) return evenly(north, south, order.rows);
  const int64_t parallels = handle.integer("N");  // between pole and equator
  if (parallels < 1 || parallels > 100'000) refuse("a Gaussian grid of no sense");
  std::vector<double> all(static_cast<size_t>(2 * parallels));
  if (codes_get_gaussian_latitudes(static_cast<long>(parallels), all.data()) != CODES_SUCCESS)
    refuse("ecCodes cannot compute the Gaussian latitudes of N = " + std::to_string(parallels));
  const auto first = std::ranges::min_element(
      all, {}, [north](double latitude) { return std::abs(latitude - north); });
  if (all.end() - first < order.rows) refuse("the Gaussian grid has more rows than it can have");
  return {first, first + order.rows};
}

// Of a grid whose axes are independent: rows x columns values of each.
void spread(const std::vector<double>& y, const std::vector<double>& x, Grid& grid) {
  for (const double row : y)
    for (const double column : x) {
      grid.y.push_back(row);
      grid.x.push_back(column);
    }
}

Grid latitude_longitude(const GribHandle& handle, const GribOrder& order, bool gaussian) {
  Grid grid{.y_name = "latitude", .axis_units = "degrees"};
  grid.x_name = "longitude";
  spread(latitudes(handle, order, gaussian), longitudes(handle, order), grid);
  grid.latitude = grid.y;
  grid.longitude = grid.x;
  return grid;
}

// The south pole of the rotated sphere lies at (theta_p, lambda_p). A point at (phi, lambda) of it:
//   sin lat = sin phi cos a + cos phi cos lambda sin a,  a = theta_p + 90
//   lon = lambda_p + atan2(cos phi sin lambda, cos phi cos lambda cos a - sin phi sin a)
// Source: WMO Manual on Codes, grid definition template 3.1.
Grid rotated(const GribHandle& handle, const GribOrder& order) {
  if (handle.find("angleOfRotationInDegrees").value_or(0) != 0)
    refuse("a rotated grid that is turned about its pole, too, cannot be read");
  const double pole_latitude = handle.number("latitudeOfSouthernPoleInDegrees"),
               pole_longitude = handle.number("longitudeOfSouthernPoleInDegrees");
  Grid grid{.y_name = "rlat", .axis_units = "degrees", .separable = false};
  grid.x_name = "rlon";
  spread(latitudes(handle, order, false), longitudes(handle, order), grid);
  const double tilt = (pole_latitude + 90) * radians_per_degree,
               middle = std::remainder(pole_longitude, 360);
  for (size_t i = 0; i < grid.x.size(); ++i) {
    const double phi = grid.y[i] * radians_per_degree, lambda = grid.x[i] * radians_per_degree;
    const double sine =
        std::sin(phi) * std::cos(tilt) + std::cos(phi) * std::cos(lambda) * std::sin(tilt);
    grid.latitude.push_back(std::asin(std::clamp(sine, -1.0, 1.0)) / radians_per_degree);
    grid.longitude.push_back(middle + std::atan2(std::cos(phi) * std::sin(lambda),
                                                 std::cos(phi) * std::cos(lambda) * std::cos(tilt) -
                                                     std::sin(phi) * std::sin(tilt)) /
                                          radians_per_degree);
  }
  grid.mapping = {
      .name = "rotated_pole",
      .texts = {{"grid_mapping_name", "rotated_latitude_longitude"}},
      .numbers = {{"grid_north_pole_latitude", {-pole_latitude}},
                  {"grid_north_pole_longitude", {std::remainder(pole_longitude + 180, 360)}}}};
  return grid;
}

Ellipsoid earth_of(const GribHandle& handle, GridMapping& mapping) {
  if (!handle.flag("earthIsOblate")) {
    const double radius = handle.number("radius");
    mapping.numbers["earth_radius"] = {radius};
    return {radius, radius};
  }
  const Ellipsoid earth = {handle.find("earthMajorAxisInMetres").value_or(6378160),
                           handle.find("earthMinorAxisInMetres").value_or(6356775)};
  mapping.numbers["semi_major_axis"] = {earth.major};
  mapping.numbers["semi_minor_axis"] = {earth.minor};
  if (!(earth.minor > 0 && earth.minor <= earth.major))
    refuse("the axes of the Earth make no sense");
  return earth;
}

ConformalMap map_of(const GribHandle& handle, const std::string& type, GridMapping& mapping) {
  const Ellipsoid earth = earth_of(handle, mapping);
  mapping.name = type;
  auto& numbers = mapping.numbers;
  if (type == "mercator") {
    const double parallel = handle.number("LaDInDegrees");
    if (handle.find("orientationOfTheGridInDegrees").value_or(0) != 0)
      refuse("a Mercator grid that is turned cannot be read");
    mapping.texts["grid_mapping_name"] = "mercator";
    numbers["standard_parallel"] = {parallel};
    const double first = std::remainder(handle.number("longitudeOfFirstGridPointInDegrees"), 360);
    numbers["longitude_of_projection_origin"] = {first};
    return ConformalMap::mercator(earth, parallel, first);
  }
  if (type == "polar_stereographic") {
    const bool south = (handle.integer("projectionCentreFlag") & 128) != 0;
    const double parallel = std::copysign(handle.number("LaDInDegrees"), south ? -1.0 : 1.0),
                 longitude = std::remainder(handle.number("orientationOfTheGridInDegrees"), 360);
    mapping.texts["grid_mapping_name"] = "polar_stereographic";
    numbers["latitude_of_projection_origin"] = {south ? -90.0 : 90.0};
    numbers["straight_vertical_longitude_from_pole"] = {longitude};
    numbers["standard_parallel"] = {parallel};
    return ConformalMap::polar_stereographic(earth, south, parallel, longitude);
  }
  const double first = handle.number("Latin1InDegrees"), second = handle.number("Latin2InDegrees"),
               origin = handle.find("LaDInDegrees").value_or(first),
               longitude = std::remainder(handle.number("LoVInDegrees"), 360);
  if (std::abs(first + second) < 1e-9) refuse("a Lambert cone needs parallels on one hemisphere");
  mapping.name = "lambert_conformal";
  mapping.texts["grid_mapping_name"] = "lambert_conformal_conic";
  numbers["standard_parallel"] = first == second ? std::vector{first} : std::vector{first, second};
  numbers["latitude_of_projection_origin"] = {origin};
  numbers["longitude_of_central_meridian"] = {longitude};
  return ConformalMap::lambert(earth, first, second, origin, longitude);
}

Grid projected(const GribHandle& handle, const GribOrder& order, const std::string& type) {
  Grid grid{.y_name = "y", .axis_units = "m", .separable = false};
  grid.x_name = "x";
  const ConformalMap projection = map_of(handle, type, grid.mapping);
  const MapPoint first = projection.map({handle.number("latitudeOfFirstGridPointInDegrees"),
                                         handle.number("longitudeOfFirstGridPointInDegrees")});
  const double width = handle.number("DxInMetres") * static_cast<double>(order.columns - 1),
               height = handle.number("DyInMetres") * static_cast<double>(order.rows - 1);
  const double west = order.from_east ? first.x - width : first.x,
               north = order.from_south ? first.y + height : first.y;
  spread(evenly(north, north - height, order.rows), evenly(west, west + width, order.columns),
         grid);
  for (size_t i = 0; i < grid.x.size(); ++i) {
    const EarthPoint point = projection.earth({grid.x[i], grid.y[i]});
    grid.latitude.push_back(point.latitude);
    grid.longitude.push_back(point.longitude);
  }
  return grid;
}

// What makes a grid of rows and columns of others.
std::string advice(const std::string& type) {
  if (type == "reduced_gg" || type == "reduced_rotated_gg")
    return "`cdo setgridtype,regular IN OUT` gives all rows the same number of points";
  if (type == "sh" || type == "rotated_sh" || type == "stretched_sh")
    return "`cdo sp2gpl IN OUT` makes fields on a Gaussian grid of the spherical harmonics";
  return "`cdo remapbil,GRID IN OUT` interpolates to a grid of latitudes and longitudes";
}

}  // namespace

int64_t GribOrder::place(int64_t row, int64_t column) const {
  int64_t i = from_east ? columns - 1 - column : column;
  int64_t j = from_south ? rows - 1 - row : row;
  if (by_columns) return i * rows + (alternating && i % 2 ? rows - 1 - j : j);
  return j * columns + (alternating && j % 2 ? columns - 1 - i : i);
}

GribGrid read_grib_grid(const GribHandle& handle) {
  GribGrid result;
  result.type = handle.text("gridType");
  const std::string& type = result.type;
  const bool conformal = type == "lambert" || type == "polar_stereographic" || type == "mercator";
  if (!conformal && type != "regular_ll" && type != "rotated_ll" && type != "regular_gg")
    refuse("the grid is of type '" + type + "', which is not read: " + advice(type));
  result.order = read_order(handle);
  Grid& grid = result.grid;
  grid = conformal              ? projected(handle, result.order, type)
         : type == "rotated_ll" ? rotated(handle, result.order)
                                : latitude_longitude(handle, result.order, type == "regular_gg");
  grid.rows = result.order.rows;
  grid.columns = result.order.columns;
  return result;
}

}  // namespace py4cast
