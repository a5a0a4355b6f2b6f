#include "data/smeagol/smeagol_source.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "data/weather/calendar.h"
#include "data/weather/conformal.h"
#include "data/weather/data_files.h"
#include "data/weather/original_layout.h"
#include "engine/error.h"
#include "kernels/fields/decode_fields.h"

namespace py4cast {
namespace {

constexpr const char* surface_units = "m";

SmeagolPlace tree_of(const SmeagolSettings& settings) {
  const char* otherwise = std::getenv("PY4CAST_SMEAGOL_PATH");
  const std::string root = settings.root.empty() && otherwise ? otherwise : settings.root;
  if (root.empty())
    throw Error(ErrorKind::configuration,
                "dataset.settings.root: the folder of the smeagol tree is not given, neither there "
                "nor in the environment variable PY4CAST_SMEAGOL_PATH");
  return {root, settings.domain, settings.model, settings.geometry};
}

// start, start + timestep, ... before the end, in seconds.
std::vector<Time> leads_of(const SmeagolTerm& term) {
  const auto step = std::llround(term.timestep * 3600);
  if (step < 1 || !(term.start < term.end) || (term.end - term.start) / term.timestep > 1e5)
    throw Error(ErrorKind::configuration, "dataset.settings.term: from ", term.start, " h to ",
                term.end, " h every ", term.timestep, " h there are no terms that can be used");
  std::vector<Time> leads;
  for (Time lead = std::llround(term.start * 3600);
       static_cast<double>(lead) < term.end * 3600 - 0.5; lead += step)
    leads.push_back(lead);
  return leads;
}

// The text by which equal contents are known.
std::string text_of(const CfVariable& v) {
  std::ostringstream text;
  text << v.name << ' ' << name_of(v.type);
  for (size_t d = 0; d < v.shape.size(); ++d) text << ' ' << v.dimensions[d] << ' ' << v.shape[d];
  for (const auto& [name, attribute] : v.attributes) {
    text << '\n' << name << ' ' << name_of(attribute.type) << ' ' << attribute.text;
    for (const double number : attribute.numbers) text << ' ' << std::hexfloat << number;
  }
  return text.str() + '\n';
}

size_t position_of(const CfVariable& v, const char* name) {
  return static_cast<size_t>(std::ranges::find(v.dimensions, name) - v.dimensions.begin());
}

bool lies_along(const CfVariable& v, const char* name) {
  return position_of(v, name) < v.dimensions.size();
}

}  // namespace

SmeagolSource::SmeagolSource(const SmeagolSettings& settings, const std::vector<int64_t>& members,
                             MemoryLedger* ledger)
    : settings_(settings), tree_(list_smeagol_tree(tree_of(settings))), pool_(128, ledger) {
  times_.runs = tree_.runs;
  times_.leads = leads_of(settings.term);
  times_.members = tree_.members;
  for (const int64_t member : members) times_.members = std::max(times_.members, member + 1);
  read_constants();
  add_variables();
  for (const auto& [stem, there] : tree_.files) {
    const size_t count = times_.runs.size() * static_cast<size_t>(times_.members);
    files_[stem] = {.contents = std::vector<std::shared_ptr<const Contents>>(count),
                    .asked = std::vector<char>(count)};
  }
}

void SmeagolSource::read_constants() {
  const std::string path = smeagol_constants(tree_.folder);
  const CfMetadata metadata = pool_.describe(path);
  const auto values = [&](const char* name, size_t dimensions) {
    const CfVariable* v = metadata.find(name);
    if (!v || !v->is_numeric() || v->dimensions.size() != dimensions)
      throw Error(ErrorKind::data, path, ": has no variable '", name, "' of ", dimensions,
                  dimensions > 1 ? " dimensions" : " dimension");
    return std::pair(v, pool_.read(path, *v));
  };
  auto [latitude, latitudes] = values("lat", 2);
  auto [longitude, longitudes] = values("lon", 2);
  const auto x = values("x", 1).second, y = values("y", 1).second;
  grid_.rows = static_cast<int64_t>(latitude->shape[0]);
  grid_.columns = static_cast<int64_t>(latitude->shape[1]);
  if (longitude->shape != latitude->shape || y.size() != latitude->shape[0] ||
      x.size() != latitude->shape[1])
    throw Error(ErrorKind::data, path, ": 'lat' has ", grid_.rows, " x ", grid_.columns,
                " points; 'lon', 'y' (", y.size(), ") and 'x' (", x.size(),
                ") do not lie on the same grid");
  for (double& value : longitudes) value -= value > 180 ? 360 : 0;
  for (size_t i = 0; i < latitudes.size(); ++i)
    if (!(std::abs(latitudes[i]) <= 90 && std::abs(longitudes[i]) <= 360))
      throw Error(ErrorKind::data, path, ": the point ", i, " lies at 'lat' ", latitudes[i],
                  ", 'lon' ", longitudes[i], ", which is no place on the Earth");
  for (const double row : y)
    for (const double column : x) {
      grid_.x.push_back(column);
      grid_.y.push_back(row);
    }
  grid_.latitude = std::move(latitudes);
  grid_.longitude = std::move(longitudes);
  grid_.x_name = "x";
  grid_.y_name = "y";
  grid_.axis_units = "m";
  grid_.separable = false;
  set_mapping();
  for (const CfVariable& v : metadata.variables) {
    if (v.shape != latitude->shape || &v == latitude || &v == longitude || !v.is_numeric())
      continue;
    constants_[v.name] = v;
    variables_.push_back({.name = v.name,
                          .units = v.text("units"),
                          .long_name = v.text("long_name"),
                          .standard_name = v.text("standard_name"),
                          .has_time = false,
                          .stored_bytes = size_of(v.packing().type)});
  }
}

// Only if the projection puts the corners where x and y have them.
void SmeagolSource::set_mapping() {
  const std::vector<double>& parallels = settings_.standard_parallels;
  const Ellipsoid sphere;
  const ConformalMap projection =
      ConformalMap::lambert(sphere, parallels.front(), parallels.back(), settings_.central_latitude,
                            settings_.central_longitude);
  const auto offset = [&](int64_t row, int64_t column) {
    const auto point = static_cast<size_t>(row * grid_.columns + column);
    const auto [x, y] = projection.map({grid_.latitude[point], grid_.longitude[point]});
    return MapPoint{grid_.x[point] - x, grid_.y[point] - y};
  };
  const auto [x, y] = offset(0, 0);
  const double spacing =
      grid_.columns > 1 ? std::abs(grid_.x[1] - grid_.x[0]) : std::abs(grid_.y.back());
  for (const int64_t row : {int64_t{0}, grid_.rows - 1})
    for (const int64_t column : {int64_t{0}, grid_.columns - 1}) {
      const MapPoint other = offset(row, column);
      if (!(std::hypot(other.x - x, other.y - y) < 0.1 * spacing)) return;
    }
  grid_.mapping = {.name = "lambert_conformal",
                   .texts = {{"grid_mapping_name", "lambert_conformal_conic"}},
                   .numbers = {{"standard_parallel", parallels},
                               {"longitude_of_central_meridian", {settings_.central_longitude}},
                               {"latitude_of_projection_origin", {settings_.central_latitude}},
                               {"false_easting", {x}},
                               {"false_northing", {y}},
                               {"earth_radius", {sphere.major}}}};
}

void SmeagolSource::add_variables() {
  for (const auto& [stem, there] : tree_.files) {
    const auto& [run, member] = *there.begin();
    const std::string path = tree_.path(stem, run, member);
    const CfMetadata metadata = pool_.describe(path);
    const std::vector<double> levels =
        metadata.find("level") ? coordinate(metadata, "level") : std::vector<double>{};
    for (const CfVariable& v : metadata.variables) {
      if (!lies_along(v, "Y") || !lies_along(v, "X")) continue;
      if (const std::string problem = problem_of(v, path); !problem.empty())
        left_out_[v.name] = path + ": " + problem;
      else
        add_variable(stem, v, lies_along(v, "level") ? levels : std::vector<double>{});
    }
  }
}

void SmeagolSource::add_variable(const std::string& stem, const CfVariable& v,
                                 std::vector<double> levels) {
  if (constants_.contains(v.name) || !stems_.emplace(v.name, stem).second) return;
  const bool at_surface = levels.empty();
  variables_.push_back({.name = v.name,
                        .units = v.text("units"),
                        .long_name = v.text("long_name"),
                        .standard_name = v.text("standard_name"),
                        .level_name = at_surface ? "surface" : "level",
                        .levels = at_surface ? std::vector<double>{0} : std::move(levels),
                        .level_units = at_surface ? surface_units : "1",
                        .stored_bytes = 4});  // other files may pack it in another way
}

std::vector<double> SmeagolSource::coordinate(const CfMetadata& metadata,
                                              const std::string& name) const {
  const CfVariable* v = metadata.find(name);
  if (!v || !v->is_numeric() || v->dimensions != std::vector{name})
    throw Error(ErrorKind::data, metadata.path, ": has no coordinate variable '", name, "'");
  return pool_.read(metadata.path, *v);
}

// Why it is no field; empty: it is one.
std::string SmeagolSource::problem_of(const CfVariable& v, const std::string& path) const {
  if (!v.is_numeric()) return "it holds texts";
  if (const std::string problem = v.packing_problem(); !problem.empty()) return problem;
  const size_t y = position_of(v, "Y"), x = position_of(v, "X");
  if (y > x) return "its dimension X stands before Y";
  for (size_t d = 0; d < v.dimensions.size(); ++d)
    if (const std::string& name = v.dimensions[d];
        name != "step" && name != "level" && name != "Y" && name != "X" && v.shape[d] != 1)
      return "its dimension '" + name + "' is none of step, level, Y and X";
  if (static_cast<int64_t>(v.shape[y]) != grid_.rows ||
      static_cast<int64_t>(v.shape[x]) != grid_.columns)
    throw Error(ErrorKind::data, path, ": variable '", v.name, "' has ", v.shape[y], " x ",
                v.shape[x], " points, ", smeagol_constants(tree_.folder), " has ", grid_.rows,
                " x ", grid_.columns);
  return "";
}

double SmeagolSource::default_weight(const VariableInfo& info, double level) const {
  return info.level_units == surface_units ? 2 : 1 + level / 90;
}

std::shared_ptr<const SmeagolSource::Contents> SmeagolSource::read_contents(
    const std::string& path) const {
  const CfMetadata metadata = pool_.describe(path);
  Contents result;
  std::ostringstream text;
  if (metadata.find("level")) result.levels = coordinate(metadata, "level");
  const CfVariable* step = metadata.find("step");
  const std::string units = step ? step->text("units") : "";
  const double seconds = units.empty() ? 3600 : seconds_per_unit(times_.calendar, units);
  if (seconds == 0)
    throw Error(ErrorKind::data, path, ": '", units, "' of 'step' is no unit of a duration");
  std::vector<Time> terms;
  for (const double term : coordinate(metadata, "step"))
    terms.push_back(whole_seconds(term * seconds));
  for (const Time lead : times_.leads) {
    const auto found = std::ranges::find(terms, lead);
    result.leads.push_back(found == terms.end() ? -1 : static_cast<int>(found - terms.begin()));
    text << result.leads.back() << ' ';
  }
  for (const double level : result.levels) text << level << ' ';
  for (const CfVariable& v : metadata.variables) {
    if (!lies_along(v, "Y") || !lies_along(v, "X") || !problem_of(v, path).empty()) continue;
    result.variables[v.name] = v;
    text << text_of(v);
  }
  auto& alike = alike_[text.str()];
  if (!alike) alike = std::make_shared<const Contents>(std::move(result));
  return alike;
}

const SmeagolSource::Contents* SmeagolSource::contents(const std::string& stem, int64_t run,
                                                       int64_t member) const {
  if (run < 0 || run >= static_cast<int64_t>(times_.runs.size()) || member < 0 ||
      member >= times_.members)
    return nullptr;
  const std::lock_guard lock(mutex_);
  Files& files = files_.at(stem);
  const auto index = static_cast<size_t>(run * times_.members + member);
  if (!files.asked[index]) {
    if (tree_.files.at(stem).contains({run, member}))
      files.contents[index] = read_contents(tree_.path(stem, run, member));
    else
      missing_[tree_.path(stem, run, member)] = "";
    files.asked[index] = 1;
  }
  return files.contents[index].get();
}

SmeagolSource::Found SmeagolSource::find(const FieldRequest& request) const {
  if (const auto constant = constants_.find(request.variable); constant != constants_.end())
    return {.stem = "", .variable = &constant->second};
  const VariableInfo& info = variable(request.variable);
  Found found{.stem = stems_.at(request.variable)};
  const Contents* file = contents(found.stem, request.run, request.member);
  const auto within = [](int64_t index, size_t size) {
    return index >= 0 && static_cast<size_t>(index) < size;
  };
  if (!file || !within(request.lead, file->leads.size()) ||
      !within(request.level, info.levels.size()))
    return found;
  const auto v = file->variables.find(request.variable);
  found.lead = file->leads[static_cast<size_t>(request.lead)];
  if (v != file->variables.end() && lies_along(v->second, "level")) {
    const auto level =
        std::ranges::find(file->levels, info.levels[static_cast<size_t>(request.level)]);
    found.level = level == file->levels.end() ? -1 : static_cast<int>(level - file->levels.begin());
  }
  if (v != file->variables.end() && found.lead >= 0 && found.level >= 0) {
    found.variable = &v->second;
    return found;
  }
  const std::lock_guard lock(mutex_);
  missing_.emplace(path_of(found, request), " (without " + describe(request) + ")");
  return found;
}

std::string SmeagolSource::path_of(const Found& found, const FieldRequest& request) const {
  return found.stem.empty() ? smeagol_constants(tree_.folder)
                            : tree_.path(found.stem, request.run, request.member);
}

bool SmeagolSource::exists(const FieldRequest& request) const {
  return find(request).variable != nullptr;
}

std::string SmeagolSource::file_of(const FieldRequest& request) const {
  const auto stem = stems_.find(request.variable);
  if (stem == stems_.end()) return smeagol_constants(tree_.folder);
  return tree_.path(stem->second, request.run, request.member);
}

void SmeagolSource::read(const FieldRequest& request, const Region& region, float* out) {
  std::vector<float> stored(static_cast<size_t>(std::max<int64_t>(region.rows(), 0)) *
                            static_cast<size_t>(std::max<int64_t>(region.columns(), 0)));
  const Packing packing = read_stored(request, region, stored.data());
  unpack(level_, packing, stored.data(), region.rows() * region.columns(), out);
}

Packing SmeagolSource::read_stored(const FieldRequest& request, const Region& region, void* out) {
  const Found found = find(request);
  if (!found.variable)
    throw Error(ErrorKind::data, path_of(found, request), ": ", describe(request), " is not there");
  check_region(region);
  const CfVariable& v = *found.variable;
  std::vector<size_t> start(v.dimensions.size(), 0), count(v.dimensions.size(), 1);
  for (size_t d = 0; d < v.dimensions.size(); ++d) {
    const std::string& name = v.dimensions[d];
    if (name == "step") start[d] = static_cast<size_t>(found.lead);
    if (name == "level") start[d] = static_cast<size_t>(found.level);
  }
  // Constant planes name their dimensions as they like: rows, columns.
  const size_t rows = v.dimensions.size() == 2 ? 0 : position_of(v, "Y"),
               columns = v.dimensions.size() == 2 ? 1 : position_of(v, "X");
  start[rows] = static_cast<size_t>(region.row_begin);
  count[rows] = static_cast<size_t>(region.rows());
  start[columns] = static_cast<size_t>(region.column_begin);
  count[columns] = static_cast<size_t>(region.columns());
  try {
    pool_.read_stored(path_of(found, request), v, start, count, out);
  } catch (const Error& error) {
    throw Error(error.kind(), error.what(), "; wanted: ", describe(request));
  }
  return v.packing();
}

std::vector<std::string> SmeagolSource::notes() const {
  std::vector<std::string> result;
  if (!settings_.original_file.empty())
    result.push_back(original_layout_note(settings_.original_file));
  if (missing_.empty()) return result;
  constexpr size_t shown = 3;
  std::string text = "samples are left out where files are missing: ";
  size_t count = 0;
  for (const auto& [path, lacks] : missing_)
    if (++count <= shown) text += (count > 1 ? ", " : "") + path + lacks;
  if (count > shown) text += " and " + std::to_string(count - shown) + " more";
  result.push_back(text);
  return result;
}

std::string SmeagolSource::fingerprint() const {
  return fingerprint_of_files({tree_.folder});
}

std::string SmeagolSource::content() const {
  return content_of_files({tree_.folder});
}

}  // namespace py4cast
