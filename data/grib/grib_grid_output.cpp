// A grid as the keys of a message.
#include <algorithm>
#include <cmath>
#include <functional>

#include "data/grib/grib_grid.h"
#include "data/weather/conformal.h"
#include "engine/error.h"

namespace py4cast {
namespace {

[[noreturn]] void refuse_to_write(const std::string& what) {
  throw Error(ErrorKind::data, what);
}

bool is_even(const std::vector<double>& values, int64_t count, int64_t stride) {
  if (count < 2) return true;
  const double first = values.front(),
               step = (values[static_cast<size_t>((count - 1) * stride)] - first) /
                      static_cast<double>(count - 1);
  for (int64_t i = 0; i < count; ++i)
    if (std::abs(values[static_cast<size_t>(i * stride)] - first - step * static_cast<double>(i)) >
        1e-4)
      return false;
  return step != 0;
}

// Of projected grids longitudes are no negative numbers.
double positive(double longitude) {
  return longitude < 0 ? longitude + 360 : longitude;
}

double spacing(double first, double last, int64_t count) {
  return count > 1 ? std::abs(last - first) / static_cast<double>(count - 1) : 1.0;
}

// CF's number, or what stands for it.
double mapping_number(const GridMapping& mapping, const std::string& name, double otherwise) {
  const auto found = mapping.numbers.find(name);
  return found == mapping.numbers.end() || found->second.empty() ? otherwise
                                                                 : found->second.front();
}

Ellipsoid mapped_earth(const GridMapping& mapping) {
  const double major = mapping_number(mapping, "semi_major_axis",
                                      mapping_number(mapping, "earth_radius", Ellipsoid().major)),
               flattening = mapping_number(mapping, "inverse_flattening", 0);
  return {major, mapping_number(mapping, "semi_minor_axis",
                                flattening > 0 ? major * (1 - 1 / flattening) : major)};
}

// The parallel in [0, 90] on which a map is true to scale whose scale at its origin, the pole or the equator, is this
// one. scale_on(parallel) falls or rises from 1 at the origin.
double parallel_of_scale(double scale, double origin,
                         const std::function<double(double)>& scale_on) {
  double at_origin = origin, away = 90 - origin;
  for (int i = 0; i < 60; ++i) {
    const double middle = (at_origin + away) / 2;
    (scale_on(middle) > scale ? at_origin : away) = middle;
  }
  return std::round(1e6 * at_origin) / 1e6;  // as GRIB has it: ecCodes cuts further digits off
}

void set_earth(GribHandle& handle, const GridMapping& mapping) {
  const Ellipsoid earth = mapped_earth(mapping);
  const double major = earth.major, minor = earth.minor;
  const auto set = [&](const char* scale, const char* value, double metres) {
    handle.set_integer(scale, 1);
    handle.set_integer(value, std::llround(10 * metres));
  };
  handle.set_integer("shapeOfTheEarth", major == minor ? 1 : 7);
  if (major == minor)
    return set("scaleFactorOfRadiusOfSphericalEarth", "scaledValueOfRadiusOfSphericalEarth", major);
  set("scaleFactorOfEarthMajorAxis", "scaledValueOfEarthMajorAxis", major);
  set("scaleFactorOfEarthMinorAxis", "scaledValueOfEarthMinorAxis", minor);
}

std::string grib_type_of(const Grid& grid) {
  const auto found = grid.mapping.texts.find("grid_mapping_name");
  const std::string name = found == grid.mapping.texts.end() ? "" : found->second;
  if (name == "rotated_latitude_longitude") return "rotated_ll";
  if (name == "lambert_conformal_conic") return "lambert";
  if (name == "polar_stereographic" || name == "mercator") return name;
  if (!grid.separable || (!name.empty() && name != "latitude_longitude"))
    refuse_to_write(
        "the grid is neither one of latitudes and longitudes nor one of a projection that is known "
        "here");
  return "regular_ll";
}

void set_projection(GribHandle& handle, const Grid& grid, const std::string& type) {
  const GridMapping& mapping = grid.mapping;
  set_earth(handle, mapping);
  const Ellipsoid earth = mapped_earth(mapping);
  const double parallel = mapping_number(mapping, "standard_parallel", 0),
               scale = mapping_number(mapping, "scale_factor_at_projection_origin", 1);
  if (type == "rotated_ll") {
    handle.set("latitudeOfSouthernPoleInDegrees",
               -mapping_number(mapping, "grid_north_pole_latitude", 90));
    handle.set(
        "longitudeOfSouthernPoleInDegrees",
        std::remainder(mapping_number(mapping, "grid_north_pole_longitude", 180) + 180, 360));
  } else if (type == "lambert") {
    const auto found = mapping.numbers.find("standard_parallel");
    if (found == mapping.numbers.end() || found->second.empty())
      refuse_to_write("the cone of the grid has no standard parallel");
    const std::vector<double>& parallels = found->second;
    const double origin = mapping_number(mapping, "latitude_of_projection_origin", parallel);
    handle.set("Latin1InDegrees", parallel);
    handle.set("Latin2InDegrees", parallels.back());
    handle.set("LaDInDegrees", origin);
    handle.set("LoVInDegrees",
               positive(mapping_number(mapping, "longitude_of_central_meridian", 0)));
    handle.set_integer("projectionCentreFlag", parallel < 0 ? 128 : 0);
  } else if (type == "polar_stereographic") {
    const bool south = mapping_number(mapping, "latitude_of_projection_origin", 90) < 0;
    const auto radius = [&](double true_on) {  // of the parallel of 60 degrees
      return ConformalMap::polar_stereographic(earth, false, true_on, 0).map({60, 90}).x;
    };
    const double of_scale =
        parallel_of_scale(scale, 90, [&](double true_on) { return radius(true_on) / radius(90); });
    handle.set("LaDInDegrees",
               mapping_number(mapping, "standard_parallel", south ? -of_scale : of_scale));
    handle.set("orientationOfTheGridInDegrees",
               positive(mapping_number(mapping, "straight_vertical_longitude_from_pole", 0)));
    handle.set_integer("projectionCentreFlag", south ? 128 : 0);
  } else if (type == "mercator") {
    const auto width = [&](double true_on) {
      return ConformalMap::mercator(earth, true_on, 0).map({0, 90}).x;
    };
    handle.set("LaDInDegrees", mapping_number(mapping, "standard_parallel",
                                              parallel_of_scale(scale, 0, [&](double true_on) {
                                                return width(true_on) / width(0);
                                              })));
  }
}

}  // namespace

void set_grib_grid(GribHandle& handle, const Grid& grid, bool keep) {
  const std::string type = keep ? handle.text("gridType") : grib_type_of(grid);
  const bool plane = type == "lambert" || type == "polar_stereographic" || type == "mercator",
             rotated = type == "rotated_ll";
  const auto& y = plane || rotated ? grid.y : grid.latitude;
  const auto& x = plane || rotated ? grid.x : grid.longitude;
  if (y.empty() || x.empty() || !is_even(x, grid.columns, 1) ||
      (type != "regular_gg" && !is_even(y, grid.rows, grid.columns)))
    refuse_to_write("the rows and columns of the grid are not even");
  if (!keep) {
    handle.set("gridType", type);
    set_projection(handle, grid, type);
  }
  handle.set_integer("Ni", grid.columns);
  handle.set_integer("Nj", grid.rows);
  handle.set_integer("iScansNegatively", x.front() > x.back());
  handle.set_integer("jScansPositively", y.front() < y.back());
  handle.set_integer("jPointsAreConsecutive", 0);
  handle.set_integer("alternativeRowScanning", 0);
  const double across = spacing(x.front(), x.back(), grid.columns),
               down = spacing(y.front(), y.back(), grid.rows);
  // Rotated longitudes of GRIB are 0 on the side of the southern pole.
  double turn = keep || !rotated ? 0 : mapping_number(grid.mapping, "north_pole_grid_longitude", 0);
  if (std::min(x.front(), x.back()) - turn < -180) turn -= 360;
  handle.set("latitudeOfFirstGridPointInDegrees", plane ? grid.latitude.front() : y.front());
  handle.set("longitudeOfFirstGridPointInDegrees",
             plane ? positive(grid.longitude.front()) : x.front() - turn);
  if (plane && type != "mercator") {
    handle.set("DxInMetres", across);
    handle.set("DyInMetres", down);
    return;
  }
  handle.set("latitudeOfLastGridPointInDegrees", plane ? grid.latitude.back() : y.back());
  handle.set("longitudeOfLastGridPointInDegrees",
             plane ? positive(grid.longitude.back()) : x.back() - turn);
  if (plane) {
    handle.set("DiInMetres", across);
    handle.set("DjInMetres", down);
    return;
  }
  handle.set("iDirectionIncrementInDegrees", across);
  if (type != "regular_gg") handle.set("jDirectionIncrementInDegrees", down);
}

void check_grib_grid(const GribHandle& handle, const Grid& grid) {
  constexpr double metres_per_degree = 6371229 * radians_per_degree;
  const auto distance = [&](const Grid& a, size_t i, const Grid& b, size_t k) {
    const double north = a.latitude[i] - b.latitude[k],
                 east = std::remainder(a.longitude[i] - b.longitude[k], 360) *
                        std::cos(a.latitude[i] * radians_per_degree);
    return metres_per_degree * std::hypot(north, east);
  };
  const GribGrid written = read_grib_grid(handle);
  const double allowed = 100 + (grid.columns > 1 ? distance(grid, 0, grid, 1) / 100 : 0);
  double largest = 0;
  for (int64_t row = 0; row < grid.rows; ++row)
    for (int64_t column = 0; column < grid.columns; ++column)
      largest =
          std::max(largest, distance(written.grid, static_cast<size_t>(row * grid.columns + column),
                                     grid, static_cast<size_t>(written.order.place(row, column))));
  if (!(largest <= allowed))
    refuse_to_write("by the grid mapping '" + grid.mapping.name + "' its points lie up to " +
                    std::to_string(std::llround(largest)) +
                    " m from its latitudes and longitudes; netCDF and Zarr files keep both");
}

}  // namespace py4cast
