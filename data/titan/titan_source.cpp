#include "data/titan/titan_source.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "data/titan/npy_file.h"
#include "data/weather/calendar.h"
#include "data/weather/data_files.h"
#include "data/weather/original_layout.h"
#include "data/weather/resize.h"
#include "engine/error.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

constexpr double at_edge = 1e-6;  // [degrees] points on the edge of an area are in it

// The name of a field in titan_parameters.h.
std::string titan_field(const std::string& path, const GribProduct& product) {
  const std::string file = fs::path(path).filename();
  for (const TitanParameter& parameter : titan_parameters())
    if (parameter.file == file && parameter.code == product.code) return parameter.field;
  return product.name;
}

TitanSettings with_root(TitanSettings settings) {
  const char* otherwise = std::getenv("PY4CAST_TITAN_PATH");
  if (settings.root.empty() && otherwise) settings.root = otherwise;
  if (settings.root.empty())
    throw Error(
        ErrorKind::configuration,
        "dataset.settings.root: the folder of the titan tree is not given, neither there "
        "nor in the environment variable PY4CAST_TITAN_PATH (dataset.name is 'titan' where no "
        "configuration says otherwise; 'py4cast init FILE' makes one for files of your own)");
  return settings;
}

// The first and the end of the indices whose coordinate, along a step, is in [low, high].
std::pair<int64_t, int64_t> inside(const std::vector<double>& coordinates, int64_t count,
                                   int64_t step, double low, double high) {
  int64_t first = count, end = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double x = coordinates[static_cast<size_t>(i * step)];
    if (x < low - at_edge || x > high + at_edge) continue;
    first = std::min(first, i);
    end = i + 1;
  }
  return {first, end};
}

}  // namespace

TitanSource::TitanSource(const TitanSettings& settings) : settings_(with_root(settings)) {
  folder_ = settings_.root + (is_npy() ? "/npy" : "/grib");
  if (!settings_.subdataset.empty())
    folder_ = settings_.root + "/subdatasets/" + settings_.subdataset + "/data";
  list_hours();
  read_grid();
  cut_grid();
  add_variables();
}

void TitanSource::list_hours() {
  std::map<Time, std::set<std::string>> hours;
  std::error_code code;
  for (fs::directory_iterator hour(folder_, code), end; !code && hour != end;
       hour.increment(code)) {
    const auto time = titan_time(hour->path().filename().string());
    if (!time) continue;
    std::error_code ignored;
    for (fs::directory_iterator file(hour->path(), ignored); !ignored && file != end;
         file.increment(ignored))
      hours[*time].insert(file->path().filename().string());
  }
  if (code)
    throw Error(ErrorKind::data, folder_, ": cannot be listed: ", code.message(),
                is_npy() && fs::exists(settings_.root + "/subdatasets")
                    ? "; dataset.settings.subdataset names a folder of arrays below subdatasets"
                    : "");
  if (hours.empty())
    throw Error(ErrorKind::data, folder_, ": no folder there is called as 2023-01-01_06h00");
  for (auto& [time, files] : hours) {
    times_.runs.push_back(time);
    files_.push_back(std::move(files));
  }
  times_.leads = {0};
}

std::optional<std::string> TitanSource::first_file_on_grid() const {
  for (size_t run = 0; run < files_.size() && !is_npy(); ++run)
    for (const std::string& file : files_[run])
      if (file.starts_with(settings_.grid + "_") && file.ends_with(".grib"))
        return path_in(static_cast<int64_t>(run), file);
  return {};
}

void TitanSource::read_grid() {
  std::vector<std::string> names = {"conf_" + settings_.grid + ".grib"};
  if (settings_.grid == TitanSettings{}.grid)
    names.emplace_back("conf.grib");  // of the first version
  for (const std::string& name : names) {
    const std::string path = settings_.root + "/" + name;
    if (!fs::exists(path)) continue;
    for (const GribRecord& record : contents_.add(path)) {
      set_grid(record);
      const GribProduct& product = *record.product;
      if (record.layout->grid != grid_index_ ||
          !constants_.try_emplace(product.name, record).second)
        continue;
      variables_.push_back({.name = product.name,
                            .units = product.units,
                            .long_name = product.long_name,
                            .standard_name = product.standard_name,
                            .has_time = false});
    }
    return;
  }
  const auto file = first_file_on_grid();
  if (!file)
    throw Error(ErrorKind::data, settings_.root, ": there is neither conf_", settings_.grid,
                ".grib nor a GRIB file of an hour on that grid");
  set_grid(contents_.add(*file).front());
}

void TitanSource::set_grid(const GribRecord& record) {
  if (grid_index_ >= 0) return;
  if (record.layout->grid < 0)
    throw Error(ErrorKind::data, record.place(), ": ", record.layout->description);
  grid_index_ = record.layout->grid;
  grid_ = contents_.grids()[static_cast<size_t>(grid_index_)];
}

std::vector<int64_t> TitanSource::part() const {
  const std::string& name = settings_.subdataset;
  if (name.empty()) return settings_.subdomain;
  std::vector<int64_t> part(4, 0);
  const size_t end = name.rfind('_');
  if (end == std::string::npos || std::sscanf(name.c_str() + end, "_%ld-%ld-%ld-%ld", &part[0],
                                              &part[1], &part[2], &part[3]) != 4)
    return {};
  return part;
}

void TitanSource::cut_grid() {
  const auto [south, north] = std::ranges::minmax(grid_.latitude);
  const auto [west, east] = std::ranges::minmax(grid_.longitude);
  whole_ = {grid_.rows, grid_.columns, 0, 0, south, north, west, east};
  const std::string& name = settings_.subdataset;
  if (name.empty() && settings_.subdomain.empty()) return;
  if (!name.empty() && !settings_.subdomain.empty())
    throw Error(ErrorKind::configuration,
                "dataset.settings: a subdataset has its part of the grid in its name; subdomain is "
                "for file_format 'grib'");
  const std::vector<int64_t> cut = part();
  if (cut.size() != 4 || cut[0] < 0 || cut[1] <= cut[0] || cut[1] > grid_.rows || cut[2] < 0 ||
      cut[3] <= cut[2] || cut[3] > grid_.columns || is_npy() == name.empty()) {
    const std::string grid = std::to_string(grid_.rows) + " x " + std::to_string(grid_.columns);
    if (name.empty())
      throw Error(ErrorKind::configuration,
                  "dataset.settings.subdomain: must be [first row, end, first column, end] of the "
                  "grid of ",
                  grid, " points, for file_format 'grib'");
    throw Error(ErrorKind::configuration, "dataset.settings.subdataset: '", name,
                "' is no folder of arrays (file_format 'npy') that ends with rows and columns of "
                "the grid of ",
                grid, " points, as _100-612-240-880");
  }
  whole_.first_row = settings_.rows_from == TitanSide::south ? grid_.rows - cut[1] : cut[0];
  whole_.first_column = cut[2];
  grid_ = grid_part(grid_, {whole_.first_row, whole_.first_row + cut[1] - cut[0], cut[2], cut[3]});
}

std::string TitanSource::path_in(int64_t run, const std::string& file) const {
  return folder_ + "/" + titan_folder(times_.runs[static_cast<size_t>(run)]) + "/" + file;
}

// From the names of the arrays of all hours.
void TitanSource::describe_arrays(const TitanParameter& parameter, VariableInfo& info) const {
  std::set<double> levels;
  for (const auto& files : files_)
    for (auto file = files.lower_bound(parameter.name);
         file != files.end() && file->starts_with(parameter.name); ++file) {
      double level = parameter.level;
      if (*file == parameter.name + ".npy" ||
          std::sscanf(file->c_str() + parameter.name.size(), "_%lf", &level) == 1)
        levels.insert(level);
    }
  info.levels.assign(levels.begin(), levels.end());
  info.units = parameter.units;
}

// From the file of the first hour that has it.
void TitanSource::describe_messages(const TitanParameter& parameter, VariableInfo& info) const {
  for (size_t run = 0; run < files_.size() && info.levels.empty(); ++run) {
    if (!files_[run].contains(parameter.file)) continue;
    for (const auto& [field, record] :
         records_of(path_in(static_cast<int64_t>(run), parameter.file))) {
      if (field.first != parameter.field) continue;
      info.levels.push_back(parameter.on_pressure ? field.second : parameter.level);
      info.units = record.product->units;
      info.long_name = record.product->long_name;
      info.standard_name = record.product->standard_name;
    }
  }
}

void TitanSource::add_variables() {
  for (const TitanParameter& parameter : titan_parameters()) {
    VariableInfo info{.name = parameter.name,
                      .level_name = parameter.on_pressure ? "isobaricInhPa" : "height",
                      .level_units = parameter.level_unit(),
                      .level_suffix = parameter.level_unit()};
    if (is_npy())
      describe_arrays(parameter, info);
    else
      describe_messages(parameter, info);
    if (!info.levels.empty()) variables_.push_back(std::move(info));
  }
  if (variables_.size() == constants_.size())
    throw Error(ErrorKind::data, folder_, ": no hour has one of the files of titan (as ",
                titan_parameters()[1].file, ")");
}

const TitanSource::Records& TitanSource::records_of(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto [found, fresh] = records_.try_emplace(path);
  if (!fresh) return found->second;
  try {
    for (const GribRecord& record : contents_.add(path)) {
      const GribProduct& product = *record.product;
      const double level = product.level_type == "isobaricInhPa" ? product.level : 0;
      found->second.try_emplace({titan_field(path, product), level}, record);
    }
  } catch (const Error&) {
    records_.erase(found);
    throw;
  }
  return found->second;
}

const TitanParameter& TitanSource::parameter_of(const std::string& variable) const {
  const auto& all = titan_parameters();
  return *std::ranges::find(all, variable, &TitanParameter::name);
}

std::optional<GribRecord> TitanSource::record_of(const FieldRequest& request) const {
  const VariableInfo& info = variable(request.variable);
  if (!info.has_time) return constants_.at(request.variable);
  const TitanParameter& parameter = parameter_of(request.variable);
  if (!holds(request, info) || !files_[static_cast<size_t>(request.run)].contains(parameter.file))
    return {};
  const double level = parameter.on_pressure ? info.levels[static_cast<size_t>(request.level)] : 0;
  const Records& records = records_of(path_in(request.run, parameter.file));
  const auto found = records.find({parameter.field, level});
  if (found == records.end()) return {};
  return found->second;
}

// Whether the axes have the place at all.
bool TitanSource::holds(const FieldRequest& request, const VariableInfo& info) const {
  return request.run >= 0 && request.run < static_cast<int64_t>(files_.size()) &&
         request.lead == 0 && request.member == 0 && request.level >= 0 &&
         request.level < static_cast<int64_t>(info.levels.size());
}

std::optional<std::string> TitanSource::array_of(const FieldRequest& request) const {
  const VariableInfo& info = variable(request.variable);
  if (!holds(request, info)) return {};
  std::ostringstream stem;
  stem << info.name << '_' << info.levels[static_cast<size_t>(request.level)];
  for (const std::string& name :
       {stem.str() + "m.npy", stem.str() + "hpa.npy", stem.str() + "hPa.npy", info.name + ".npy"})
    if (files_[static_cast<size_t>(request.run)].contains(name)) return path_in(request.run, name);
  return {};
}

bool TitanSource::exists(const FieldRequest& request) const {
  if (is_npy() && variable(request.variable).has_time) return array_of(request).has_value();
  return record_of(request).has_value();
}

std::string TitanSource::file_of(const FieldRequest& request) const {
  if (is_npy() && variable(request.variable).has_time) return array_of(request).value_or("");
  const auto record = record_of(request);
  return record ? record->file->path : "";
}

SourceMessage TitanSource::message(const FieldRequest& request) const {
  if (is_npy() || !variable(request.variable).has_time) return {};
  const auto record = record_of(request);
  if (!record) return {};
  return {record->message(), times_.runs[static_cast<size_t>(request.run)]};
}

// A field of another grid: what of it lies inside of the whole grid's area, on as many points as that has.
std::vector<float> TitanSource::interpolated(const GribRecord& record) const {
  if (record.layout->grid < 0)
    throw Error(ErrorKind::data, record.place(), ": ", record.layout->description);
  const Grid& native = [&]() -> const Grid& {
    const std::lock_guard lock(mutex_);
    return contents_.grids()[static_cast<size_t>(record.layout->grid)];
  }();
  const auto [row, row_end] =
      inside(native.latitude, native.rows, native.columns, whole_.south, whole_.north);
  const auto [column, column_end] =
      inside(native.longitude, native.columns, 1, whole_.west, whole_.east);
  if (!native.separable || row >= row_end || column >= column_end)
    throw Error(ErrorKind::data, record.place(), ": its grid (", record.layout->description,
                ") has no rows and columns of latitude and longitude in the area of the data set");
  const Region region = {row, row_end, column, column_end};
  std::vector<float> values(static_cast<size_t>(region.rows() * region.columns()));
  record.read(region, values.data());
  return resize(values, region.rows(), region.columns(), whole_.rows, whole_.columns);
}

std::vector<float> TitanSource::array(const std::string& path) const {
  NpyArray array = read_npy(path);
  if (array.shape != std::vector{grid_.rows, grid_.columns}) {
    std::ostringstream shape;
    for (const int64_t length : array.shape) shape << (shape.tellp() > 0 ? " x " : "") << length;
    throw Error(ErrorKind::data, path, ": the array has ", shape.str(), " values, the grid ",
                grid_.rows, " x ", grid_.columns);
  }
  if (!settings_.subdataset.empty())
    for (int64_t row = 0; row < grid_.rows / 2; ++row)
      std::swap_ranges(array.values.begin() + row * grid_.columns,
                       array.values.begin() + (row + 1) * grid_.columns,
                       array.values.end() - (row + 1) * grid_.columns);
  return std::move(array.values);
}

void TitanSource::read(const FieldRequest& request, const Region& region, float* out) {
  check_region(region);
  const bool constant = !variable(request.variable).has_time;
  const auto cut_out = [&](const std::vector<float>& values, const Region& of, int64_t columns) {
    for (int64_t row = of.row_begin; row < of.row_end; ++row)
      out = std::copy_n(values.begin() + row * columns + of.column_begin, of.columns(), out);
  };
  if (is_npy() && !constant) {
    const auto path = array_of(request);
    if (!path) refuse(request);
    return cut_out(array(*path), region, grid_.columns);
  }
  const auto record = record_of(request);
  if (!record) refuse(request);
  const Region in_file = {region.row_begin + whole_.first_row, region.row_end + whole_.first_row,
                          region.column_begin + whole_.first_column,
                          region.column_end + whole_.first_column};
  if (record->layout->grid == grid_index_) return record->read(in_file, out);
  cut_out(interpolated(*record), in_file, whole_.columns);
}

void TitanSource::refuse(const FieldRequest& request) const {
  throw Error(ErrorKind::data, folder_, ": ", describe(request), " is not there");
}

std::vector<std::string> TitanSource::notes() const {
  if (settings_.original_file.empty()) return {};
  return {original_layout_note(settings_.original_file)};
}

std::string TitanSource::grid_key() const {
  std::ostringstream text;
  text << settings_.grid << settings_.subdataset;
  if (!settings_.subdomain.empty() || settings_.rows_from != TitanSide::south)
    text << " from row " << whole_.first_row << " column " << whole_.first_column << " on "
         << grid_.rows << " x " << grid_.columns;
  return text.str();
}

std::string TitanSource::fingerprint() const {
  return grid_key() + "\n" + fingerprint_of_files({folder_});
}

std::string TitanSource::content() const {
  return grid_key() + "\n" + content_of_files({folder_});
}

}  // namespace py4cast
