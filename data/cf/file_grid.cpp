#include "data/cf/file_grid.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>
#include <tuple>

#include "data/cf/axis_role.h"
#include "engine/error.h"
#include "engine/text.h"

namespace py4cast {
namespace {

using Names = std::set<std::string>;

[[noreturn]] void refuse_grid(const CfMetadata& metadata, const std::string& what) {
  throw Error(ErrorKind::data, metadata.path, ": ", what);
}

std::string dimensions_of(const CfVariable& v) {
  std::string text;
  for (const std::string& dimension : v.dimensions) text += (text.empty() ? "" : ", ") + dimension;
  return "(" + text + ")";
}

size_t plane_rank(const CfVariable& v) {
  return std::min<size_t>(v.dimensions.size(), 2);
}

bool can_be_coordinate(const CfVariable& v, const Names& helpers) {
  const size_t rank = v.dimensions.size();
  if (!v.is_numeric() || rank == 0 || rank > 3 || helpers.contains(v.name)) return false;
  return rank < 3 || v.shape[0] == 1 || role_of_name(v.dimensions[0]) == AxisRole::time;
}

// The values of the plane; of a third dimension in front at one index.
std::vector<double> plane_of(CfFiles& files, const CfMetadata& metadata, const CfVariable& v,
                             size_t index = 0) {
  if (v.shape.size() < 3) return files.read(metadata.path, v.as_coordinate());
  files.check_fits(metadata.path, "variable '" + v.name + "'", v.shape);
  std::vector<double> values(v.shape[1] * v.shape[2]);
  if (!values.empty())
    files.read(metadata.path, v.as_coordinate(), {index, 0, 0}, {1, v.shape[1], v.shape[2]},
               values.data());
  return values;
}

void check_stands_still(CfFiles& files, const CfMetadata& metadata, const CfVariable& v) {
  if (v.shape.size() < 3) return;
  const std::vector<double> first = plane_of(files, metadata, v);
  for (size_t time = 1; time < v.shape[0]; ++time)
    if (plane_of(files, metadata, v, time) != first)
      refuse_grid(metadata, "the grid moves: '" + v.name + "' at index " + std::to_string(time) +
                                " of '" + v.dimensions[0] +
                                "' differs from index 0; a grid that stands still is needed");
}

// Why there is no latitude or longitude.
std::string why_none(const CfMetadata& metadata, const char* what) {
  std::string text = "there are no coordinates of " + std::string(what) +
                     " (standard_name, units degrees_north / degrees_east, or the name)";
  for (const CfVariable& v : metadata.variables)
    if (v.text("standard_name").starts_with("projection_") ||
        v.text("standard_name").starts_with("grid_l"))
      return text + ": '" + v.name +
             "' is a coordinate of a projection; latitudes and longitudes of the points are needed "
             "beside it";
  return text + unread_groups(metadata);
}

Names plane_dimensions(const CfVariable& v) {
  return {v.dimensions.end() - static_cast<std::ptrdiff_t>(plane_rank(v)), v.dimensions.end()};
}

// How many variables lie on each two dimensions; those of very many dimensions are no fields.
std::map<Names, size_t> count_on_planes(const CfMetadata& metadata, const Names& helpers) {
  std::map<Names, size_t> counts;
  for (const CfVariable& v : metadata.variables) {
    if (!v.is_numeric() || helpers.contains(v.name) || is_latitude(v) || is_longitude(v) ||
        v.dimensions.size() > 32)
      continue;
    const Names own(v.dimensions.begin(), v.dimensions.end());
    for (auto a = own.begin(); a != own.end(); ++a)
      for (auto b = std::next(a); b != own.end(); ++b) ++counts[{*a, *b}];
  }
  return counts;
}

// Why the two span no grid; empty: they do.
std::string plane_problem(const CfVariable& latitude, const CfVariable& longitude) {
  const size_t rank = plane_rank(latitude);
  const Names a = plane_dimensions(latitude), b = plane_dimensions(longitude);
  if (rank != plane_rank(longitude)) return "they need the same number of dimensions";
  if (rank == 2 && a != b) return "they need the same dimensions";
  if (rank == 2 && a.size() == 1) return "they need two dimensions";
  if (rank == 1 && a == b) return "a list of points is not a grid";
  return "";
}

[[noreturn]] void refuse_plane(const CfMetadata& metadata, const CfVariable& latitude,
                               const CfVariable& longitude) {
  refuse_grid(metadata, "latitude '" + latitude.name + "' lies on " + dimensions_of(latitude) +
                            ", longitude '" + longitude.name + "' on " + dimensions_of(longitude) +
                            ": " + plane_problem(latitude, longitude));
}

// How much speaks for two coordinates: the variables on their plane, its points, and two dimensions rather
// than the one of a rotated or projected grid.
using Weight = std::tuple<size_t, double, size_t>;

Weight weight_of(const std::map<Names, size_t>& counts, const CfVariable& latitude,
                 const CfVariable& longitude) {
  Names plane = plane_dimensions(latitude);
  plane.merge(plane_dimensions(longitude));
  double points = static_cast<double>(latitude.shape.back());
  points *= static_cast<double>(plane_rank(latitude) == 2 ? latitude.shape.end()[-2]
                                                          : longitude.shape.back());
  const auto found = counts.find(plane);
  return {found == counts.end() ? 0 : found->second, points, plane_rank(latitude)};
}

// A coordinate over the grid as rows x columns values.
std::vector<double> over_grid(const CfVariable& v, const std::vector<double>& values,
                              const std::string& y, size_t rows, size_t columns) {
  std::vector<double> result(rows * columns);
  const bool plane = plane_rank(v) == 2, transposed = plane && v.dimensions.back() == y;
  for (size_t row = 0; row < rows; ++row)
    for (size_t column = 0; column < columns; ++column)
      result[row * columns + column] = values.at(!plane ? (v.dimensions[0] == y ? row : column)
                                                 : transposed ? column * rows + row
                                                              : row * columns + column);
  return result;
}

void check_degrees(const CfMetadata& metadata, const CfVariable& v,
                   const std::vector<double>& values, size_t columns, double limit) {
  if (lower_case(v.text("units")).starts_with("rad"))
    refuse_grid(metadata, "'" + v.name + "' is in radians; degrees are needed");
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::abs(values[i]) <= limit) continue;
    std::ostringstream text;
    text << "'" << v.name << "' at row " << i / columns << ", column " << i % columns << " is ";
    if (std::isnan(values[i]))
      text << "missing";
    else
      text << values[i] << " degrees";
    refuse_grid(metadata, text.str());
  }
}

// Of `count` values along an axis, `stride` apart.
void check_distinct(const CfMetadata& metadata, const CfVariable& v,
                    const std::vector<double>& values, size_t stride, size_t count) {
  std::map<double, size_t> places;
  for (size_t i = 0; i < count; ++i) {
    const auto [first, fresh] = places.emplace(values[i * stride], i);
    if (fresh) continue;
    std::ostringstream text;
    text << "'" << v.name << "' has the value " << first->first << " twice, at " << first->second
         << " and " << i;
    refuse_grid(metadata, text.str());
  }
}

// Convolution, border and interpolation take neighbours in the file for neighbours on the Earth.
void check_sorted(const CfMetadata& metadata, const CfVariable& v,
                  const std::vector<double>& values, size_t stride, size_t count) {
  for (size_t i = 2; i < count; ++i) {
    const double before = values[(i - 1) * stride], step = values[i * stride] - before;
    if (step * (before - values[(i - 2) * stride]) > 0) continue;
    std::ostringstream text;
    text << "the values of '" << v.name
         << "' neither rise nor fall all along: " << values[(i - 2) * stride] << ", " << before
         << ", " << values[i * stride] << " at " << i - 2 << " to " << i
         << "; sort the file along it first";
    refuse_grid(metadata, text.str());
  }
}

// Grids of oceans put points that were never computed there; as points on the Earth they are none.
void check_not_at_zero(const CfMetadata& metadata, const GridCoordinates& coordinates,
                       const Grid& grid) {
  constexpr size_t repeated = 4;  // more than where a grid overlaps with itself
  size_t zeros = 0;
  for (size_t i = 0; i < grid.latitude.size(); ++i)
    zeros += grid.latitude[i] == 0 && grid.longitude[i] == 0;
  if (zeros > 1 && zeros == grid.latitude.size())
    refuse_grid(metadata, "all points have the latitude and the longitude 0");
  if (zeros > repeated)
    refuse_grid(metadata, "'" + coordinates.latitude->name + "' and '" +
                              coordinates.longitude->name + "' are both 0 at " +
                              std::to_string(zeros) +
                              " points, as where NEMO has left out land; coordinates of all points "
                              "are needed, from the mesh file of the model for example");
}

// Takes steps of 360 degrees out of longitudes, unless they come back elsewhere (around a pole). The
// result lies in [-180, 360] as far as it can.
void make_continuous(std::vector<double>& longitude, size_t columns) {
  std::vector<double> x = longitude;
  const auto nearest = [](double value, double neighbour) {
    return std::abs(value - neighbour) > 180 ? value - 360 * std::round((value - neighbour) / 360)
                                             : value;
  };
  for (size_t i = 1; i < x.size(); ++i) x[i] = nearest(x[i], x[i % columns ? i - 1 : i - columns]);
  for (size_t i = columns; i < x.size(); ++i)
    if (std::abs(x[i] - x[i - columns]) > 180) return;
  if (x == longitude) return;
  const auto [low, high] = std::ranges::minmax(x);
  const double shift = high > 360 ? -360 : low < -180 ? 360 : 0;
  for (double& value : x) value += shift;
  longitude = std::move(x);
}

GridMapping read_grid_mapping(const CfMetadata& metadata, const CfVariable& field) {
  GridMapping mapping;
  std::istringstream words(field.text("grid_mapping"));
  words >> mapping.name;
  if (mapping.name.ends_with(':')) mapping.name.pop_back();
  const CfVariable* v = metadata.find(mapping.name);
  if (!v) return {};
  for (const auto& [name, attribute] : v->attributes) {
    if (!attribute.text.empty())
      mapping.texts[name] = attribute.text;
    else if (!attribute.numbers.empty())
      mapping.numbers[name] = attribute.numbers;
  }
  return mapping;
}

// Axes in metres or degrees; others are mere indices.
void set_axis_units(Grid& grid, const std::string& units) {
  const std::string u = lower_case(units);
  if (u.starts_with("degree") || grid.separable) grid.axis_units = std::string("degrees");
  if (u != "m" && u != "km" && u != "metre" && u != "meter" && u != "metres" && u != "meters")
    return;
  grid.axis_units = std::string("m");
  if (u != "km") return;
  for (auto* values : {&grid.x, &grid.y})
    for (double& value : *values) value *= 1000;
  for (const char* name : {"false_easting", "false_northing"})  // in the axes' units
    if (const auto found = grid.mapping.numbers.find(name); found != grid.mapping.numbers.end())
      for (double& value : found->second) value *= 1000;
}

}  // namespace

std::string unread_groups(const CfMetadata& metadata) {
  std::string groups;
  for (const std::string& group : metadata.groups)
    groups += (groups.empty() ? " in the root group; the groups '" : ", '") + group + "'";
  return groups.empty() ? "" : groups + " are not read";
}

Names helper_variables(const CfMetadata& metadata) {
  Names names;
  for (const CfVariable& v : metadata.variables) {
    for (const char* attribute :
         {"bounds", "climatology", "cell_measures", "ancillary_variables"}) {
      std::istringstream words(v.text(attribute));
      for (std::string word; words >> word;) names.insert(word);  // "area:" is no name
    }
    // "crs", or "crs: x y other: latitude longitude"
    const std::string mapping = v.text("grid_mapping");
    std::istringstream words(mapping);
    for (std::string word; words >> word;)
      if (mapping.find(':') == std::string::npos)
        names.insert(word);
      else if (word.ends_with(':'))
        names.insert(word.substr(0, word.size() - 1));
    for (const char* ending : {"_bnds", "_bounds"})
      if (v.name.ends_with(ending) &&
          metadata.find(v.name.substr(0, v.name.size() - std::string(ending).size())))
        names.insert(v.name);
  }
  return names;
}

GridCoordinates find_grid(CfFiles& files, const CfMetadata& metadata, const Names& helpers) {
  std::vector<const CfVariable*> latitudes, longitudes;
  std::set<std::pair<size_t, Names>> of_latitudes, of_longitudes;  // the first on a plane is enough
  for (const CfVariable& v : metadata.variables) {
    if (!can_be_coordinate(v, helpers)) continue;
    const std::pair plane(plane_rank(v), plane_dimensions(v));
    if (is_latitude(v) && of_latitudes.insert(plane).second) latitudes.push_back(&v);
    if (is_longitude(v) && of_longitudes.insert(plane).second) longitudes.push_back(&v);
  }
  if (latitudes.empty() || longitudes.empty())
    refuse_grid(metadata, why_none(metadata, latitudes.empty() ? "latitude" : "longitude"));
  const std::map<Names, size_t> counts = count_on_planes(metadata, helpers);
  GridCoordinates found;
  Weight most;
  for (const CfVariable* latitude : latitudes)
    for (const CfVariable* longitude : longitudes) {
      if (!plane_problem(*latitude, *longitude).empty()) continue;
      const Weight weight = weight_of(counts, *latitude, *longitude);
      if (found.latitude && weight <= most) continue;
      found = {latitude, longitude};
      most = weight;
    }
  if (!found.latitude) refuse_plane(metadata, *latitudes[0], *longitudes[0]);
  check_stands_still(files, metadata, *found.latitude);
  check_stands_still(files, metadata, *found.longitude);
  return found;
}

Grid read_grid(CfFiles& files, const CfMetadata& metadata, const GridCoordinates& coordinates,
               const std::string& y_name, const std::string& x_name, const CfVariable& field) {
  const auto& [latitude, longitude] = coordinates;
  const size_t rows = metadata.dimensions.at(y_name), columns = metadata.dimensions.at(x_name);
  files.check_fits(metadata.path, "the grid", {rows, columns});
  const auto over = [&](const CfVariable& v) {
    return over_grid(v, plane_of(files, metadata, v), y_name, rows, columns);
  };
  Grid grid;
  grid.rows = static_cast<int64_t>(rows);
  grid.columns = static_cast<int64_t>(columns);
  grid.y_name = y_name;
  grid.x_name = x_name;
  grid.mapping = read_grid_mapping(metadata, field);
  grid.separable = plane_rank(*latitude) == 1;
  grid.latitude = over(*latitude);
  grid.longitude = over(*longitude);
  check_degrees(metadata, *latitude, grid.latitude, columns, 90.001);
  check_degrees(metadata, *longitude, grid.longitude, columns, 720);
  check_not_at_zero(metadata, coordinates, grid);
  make_continuous(grid.longitude, columns);
  if (grid.separable) {
    check_distinct(metadata, *latitude, grid.latitude, columns, rows);
    check_distinct(metadata, *longitude, grid.longitude, 1, columns);
    check_sorted(metadata, *latitude, grid.latitude, columns, rows);
    check_sorted(metadata, *longitude, grid.longitude, 1, columns);
  }
  const CfVariable *y = metadata.find(y_name), *x = metadata.find(x_name);
  if (y && x && y->dimensions == std::vector{y_name} && x->dimensions == std::vector{x_name}) {
    grid.y = over(*y);
    grid.x = over(*x);
    set_axis_units(grid, y->text("units"));
    if (grid.axis_units == "degrees") make_continuous(grid.x, columns);
    return grid;
  }
  for (size_t i = 0; i < rows * columns; ++i) {
    const auto row = i / columns;
    grid.y.push_back(static_cast<double>(row));
    grid.x.push_back(static_cast<double>(i % columns));
  }
  return grid;
}

}  // namespace py4cast
