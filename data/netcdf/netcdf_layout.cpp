#include "data/netcdf/netcdf_layout.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <set>
#include <sstream>

#include "data/netcdf/axis_role.h"
#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

using Names = std::set<std::string>;

class LayoutReader {
 public:
  LayoutReader(NetcdfPool& pool, const std::string& path)
      : pool_(pool), path_(path), metadata_(pool.describe(path)) {}

  FileLayout read() {
    layout_.path = path_;
    find_calendar();
    find_coordinates();
    find_roles();
    find_fields();
    read_grid();
    return std::move(layout_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, path_, ": ", what);
  }

  // The calendar of the first coordinate that counts "since" an epoch.
  void find_calendar() {
    for (const NetcdfVariable& v : metadata_.variables)
      if (is_time_units(v.text("units"))) {
        layout_.calendar = parse_calendar(v.text("calendar"));
        return;
      }
  }

  void find_coordinates() {
    for (const NetcdfVariable& v : metadata_.variables) {
      if (!v.is_numeric()) continue;
      const bool flat = v.dimensions.size() == 1 && v.dimensions[0] == v.name;
      // WRF repeats its coordinates at each time.
      const size_t rank = v.dimensions.size();
      const bool curved = rank == 2 || (rank == 3 && v.shape[0] == 1);
      if (is_latitude(v) && (flat || curved || rank == 1) && better(latitude_, v)) latitude_ = &v;
      if (is_longitude(v) && (flat || curved || rank == 1) && better(longitude_, v))
        longitude_ = &v;
    }
    if (!latitude_ || !longitude_)
      fail(std::string("there are no coordinates of ") + (latitude_ ? "longitude" : "latitude") +
           " (standard_name, units degrees_north / degrees_east, or the name)");
  }

  // Two-dimensional coordinates win over the one-dimensional ones of a rotated or projected grid.
  static bool better(const NetcdfVariable* known, const NetcdfVariable& v) {
    return !known || v.dimensions.size() > known->dimensions.size();
  }

  void find_roles() {
    for (const auto& [dimension, length] : metadata_.dimensions) {
      std::optional<AxisRole> role;
      if (const NetcdfVariable* v = metadata_.find(dimension); v && v->dimensions.size() == 1)
        role = role_of_attributes(*v);
      if (!role) role = role_of_name(dimension);
      if (role) roles_[dimension] = *role;
    }
    if (latitude_->dimensions.size() >= 2) {
      const size_t rank = latitude_->dimensions.size();
      set_plane(latitude_->dimensions[rank - 2], latitude_->dimensions[rank - 1]);
    } else {
      roles_[latitude_->dimensions[0]] = AxisRole::y;
      roles_[longitude_->dimensions[0]] = AxisRole::x;
    }
    if (y_ == x_ && latitude_->dimensions == longitude_->dimensions &&
        latitude_->dimensions.size() == 1)
      fail("latitude and longitude lie along one dimension '" + latitude_->dimensions[0] +
           "': a list of points is not a grid");
    // Where a lead axis stands beside "time", time is that of the run.
    bool has_run = false, has_lead = false;
    for (const auto& [dimension, role] : roles_) {
      has_run |= role == AxisRole::run;
      has_lead |= role == AxisRole::lead;
    }
    if (has_lead && !has_run)
      for (auto& [dimension, role] : roles_)
        if (role == AxisRole::time) role = AxisRole::run;
  }

  // The two dimensions of 2-D coordinates; roles from attributes say which is which.
  void set_plane(const std::string& first, const std::string& second) {
    const auto role = [&](const std::string& d) {
      const auto found = roles_.find(d);
      return found == roles_.end() ? AxisRole::time : found->second;
    };
    const bool swapped = role(first) == AxisRole::x || role(second) == AxisRole::y;
    y_ = swapped ? second : first;
    x_ = swapped ? first : second;
    for (auto& [dimension, known] : roles_)
      if (known == AxisRole::y || known == AxisRole::x) known = AxisRole::level;
    roles_[y_] = AxisRole::y;
    roles_[x_] = AxisRole::x;
  }

  bool is_field(const NetcdfVariable& v) const {
    if (metadata_.dimensions.count(v.name) > 0 || &v == latitude_ || &v == longitude_) return false;
    return auxiliary_.count(v.name) == 0;
  }

  // Variables that others name as their coordinates, bounds or grid mapping are no fields.
  void find_auxiliary() {
    for (const NetcdfVariable& v : metadata_.variables) {
      for (const char* attribute :
           {"coordinates", "bounds", "climatology", "grid_mapping", "cell_measures"}) {
        std::istringstream words(v.text(attribute));
        for (std::string word; words >> word;) auxiliary_.insert(word);
      }
    }
  }

  void find_fields() {
    find_auxiliary();
    for (const NetcdfVariable& v : metadata_.variables) {
      if (!is_field(v) || !v.is_numeric()) continue;
      FieldLayout field;
      field.variable = v;
      if (const std::string reason = find_positions(v, field); !reason.empty()) {
        layout_.left_out[v.name] = reason;
        continue;
      }
      field.info.name = v.name;
      field.info.units = v.text("units");
      field.info.long_name = v.text("long_name");
      field.info.standard_name = v.text("standard_name");
      find_levels(field);
      find_members(field);
      find_times(field);
      layout_.has_time |= field.info.has_time;
      layout_.fields.push_back(std::move(field));
    }
    if (layout_.fields.empty()) fail("there is no variable on a grid of latitude and longitude");
  }

  // Sets the positions; returns why the variable is no field.
  std::string find_positions(const NetcdfVariable& v, FieldLayout& field) {
    field.position.fill(-1);
    for (size_t d = 0; d < v.dimensions.size(); ++d) {
      const auto role = roles_.find(v.dimensions[d]);
      AxisRole axis = role == roles_.end() ? AxisRole::level : role->second;
      if (role == roles_.end() && v.shape[d] == 1) continue;
      int& position = field.position[static_cast<size_t>(axis)];
      if (position >= 0) {
        if (v.shape[d] == 1) continue;
        if (v.shape[static_cast<size_t>(position)] != 1)
          return "its dimensions '" + v.dimensions[static_cast<size_t>(position)] + "' and '" +
                 v.dimensions[d] + "' look like the same axis";
      }
      position = static_cast<int>(d);
    }
    const int y = at(field, AxisRole::y), x = at(field, AxisRole::x);
    if (y < 0 || x < 0) return "it is not a field on the grid";
    const std::string &y_name = v.dimensions[static_cast<size_t>(y)],
                      &x_name = v.dimensions[static_cast<size_t>(x)];
    if (y_.empty()) set_grid_dimensions(y_name, x_name);
    if (y_name != y_ || x_name != x_)
      return "it lies on the grid (" + y_name + ", " + x_name + "), the others on (" + y_ + ", " +
             x_ + ")";
    return "";
  }

  void set_grid_dimensions(const std::string& y_name, const std::string& x_name) {
    y_ = latitude_->dimensions.size() == 1 ? latitude_->dimensions[0] : y_name;
    x_ = longitude_->dimensions.size() == 1 ? longitude_->dimensions[0] : x_name;
  }

  static int at(const FieldLayout& field, AxisRole role) {
    return field.position[static_cast<size_t>(role)];
  }

  // The coordinate variable of the dimension at a position, or null.
  const NetcdfVariable* coordinate(const FieldLayout& field, int position) const {
    const NetcdfVariable* v =
        metadata_.find(field.variable.dimensions[static_cast<size_t>(position)]);
    return v && v->dimensions.size() == 1 && v->is_numeric() ? v : nullptr;
  }

  // The scalar coordinate with a role, or null.
  const NetcdfVariable* scalar(AxisRole role) const {
    for (const NetcdfVariable& v : metadata_.variables) {
      size_t values = 1;
      for (size_t n : v.shape) values *= n;
      if (!v.is_numeric() || v.dimensions.size() > 1 || values != 1) continue;
      if (!v.dimensions.empty() && v.dimensions[0] == v.name) continue;
      std::optional<AxisRole> known = role_of_attributes(v);
      if (!known && auxiliary_.count(v.name) > 0) known = role_of_name(v.name);
      if (known == role) return &v;
    }
    return nullptr;
  }

  // A coordinate; many variables share it.
  const std::vector<double>& values(const NetcdfVariable& v) const {
    const auto known = values_.find(v.name);
    if (known != values_.end()) return known->second;
    return values_[v.name] = pool_.read(path_, v);
  }

  std::vector<double> numbers(const NetcdfVariable* v, size_t length) const {
    if (v) return values(*v);
    std::vector<double> indices(length);
    for (size_t i = 0; i < length; ++i) indices[i] = static_cast<double>(i);
    return indices;
  }

  void find_levels(FieldLayout& field) const {
    const int position = at(field, AxisRole::level);
    const NetcdfVariable* v = position >= 0 ? coordinate(field, position) : nullptr;
    if (position >= 0) {
      field.info.level_name = field.variable.dimensions[static_cast<size_t>(position)];
      field.info.levels = numbers(v, field.variable.shape[static_cast<size_t>(position)]);
    } else if ((v = scalar(AxisRole::level))) {
      field.info.level_name = v->name;
      field.info.levels = values(*v);
      field.scalar_level = true;
    }
    if (v) field.info.level_units = v->text("units");
  }

  void find_members(FieldLayout& field) const {
    const int position = at(field, AxisRole::member);
    if (position >= 0) {
      field.members =
          numbers(coordinate(field, position), field.variable.shape[static_cast<size_t>(position)]);
      field.has_member = true;
    } else if (const NetcdfVariable* v = scalar(AxisRole::member)) {
      field.members = values(*v);
      field.has_member = true;
    } else {
      field.members = {0};
    }
  }

  // Times in seconds of a coordinate that counts since an epoch.
  std::vector<Time> times(const NetcdfVariable& v) const {
    const std::string units = v.text("units");
    if (!is_time_units(units))
      fail("variable '" + v.name + "' has " +
           (units.empty() ? "no units" : "units '" + units + "'") +
           ", but times need units like 'hours since 1970-01-01'");
    const TimeUnits decoder(layout_.calendar, units);
    return convert(v, [&](double value) { return decoder.decode(value); });
  }

  // Durations in seconds.
  std::vector<Time> durations(const NetcdfVariable& v) const {
    const double unit = seconds_per_unit(layout_.calendar, v.text("units"));
    if (unit == 0)
      fail("variable '" + v.name + "' has units '" + v.text("units") +
           "', but lead times need units like 'hours'");
    return convert(v, [&](double value) { return static_cast<Time>(std::llround(value * unit)); });
  }

  template <typename Function>
  std::vector<Time> convert(const NetcdfVariable& v, Function function) const {
    std::vector<Time> result;
    for (double value : values(v)) {
      if (std::isnan(value))
        fail("value " + std::to_string(result.size()) + " of variable '" + v.name + "' is missing");
      result.push_back(function(value));
    }
    return result;
  }

  void check_sorted(const std::string& name, const std::vector<Time>& values, bool duration) const {
    const auto text = [&](Time t) {
      return duration ? std::to_string(t) + " s" : format_time(layout_.calendar, t);
    };
    for (size_t i = 1; i < values.size(); ++i) {
      if (values[i] > values[i - 1]) continue;
      if (values[i] == values[i - 1])
        fail("variable '" + name + "' has the time " + text(values[i]) + " twice, at " +
             std::to_string(i - 1) + " and " + std::to_string(i));
      fail("the times of variable '" + name + "' are not sorted: " + text(values[i]) + " at " +
           std::to_string(i) + " follows " + text(values[i - 1]));
    }
  }

  const NetcdfVariable& time_coordinate(const FieldLayout& field, int position) const {
    const NetcdfVariable* v = coordinate(field, position);
    if (v) return *v;
    const std::string& dimension = field.variable.dimensions[static_cast<size_t>(position)];
    // The coordinate may bear another name than its dimension (WRF's Time and XTIME).
    for (const NetcdfVariable& other : metadata_.variables)
      if (other.dimensions == std::vector<std::string>{dimension} &&
          is_time_units(other.text("units")))
        return other;
    fail("dimension '" + dimension + "' has no coordinate variable with the times");
  }

  // A variable without an axis of time in a file that has one is constant.
  bool is_constant(const FieldLayout& field) const {
    const auto timely = [](AxisRole role) {
      return role == AxisRole::run || role == AxisRole::time || role == AxisRole::lead;
    };
    for (AxisRole role : {AxisRole::run, AxisRole::time, AxisRole::lead})
      if (at(field, role) >= 0) return false;
    for (const NetcdfVariable& v : metadata_.variables)
      for (const std::string& dimension : v.dimensions)
        if (const auto role = roles_.find(dimension); role != roles_.end() && timely(role->second))
          return true;
    return false;
  }

  void find_times(FieldLayout& field) const {
    field.info.has_time = !is_constant(field);
    if (!field.info.has_time) return;
    const int run = at(field, AxisRole::run), time = at(field, AxisRole::time),
              lead = at(field, AxisRole::lead);
    const NetcdfVariable *run_scalar = scalar(AxisRole::run), *lead_scalar = scalar(AxisRole::lead),
                         *time_scalar = scalar(AxisRole::time);
    field.leads = {0};
    field.run_position = run;
    if (run >= 0 && time >= 0 && field.variable.shape[static_cast<size_t>(run)] != 1)
      fail("variable '" + field.info.name +
           "' has dimensions of run and of time; lead times are needed");
    if (run >= 0) {
      field.runs = checked_times(field, run);
    } else if (run_scalar) {
      field.runs = times(*run_scalar);
    } else if (time >= 0) {
      field.run_position = time;
      field.runs = checked_times(field, time);
      return;
    } else if (time_scalar) {
      field.runs = times(*time_scalar);
      if (lead < 0) return;
    }
    if (lead >= 0) {
      const NetcdfVariable* v = coordinate(field, lead);
      if (!v)
        fail("dimension '" + field.variable.dimensions[static_cast<size_t>(lead)] +
             "' has no coordinate variable with the lead times");
      field.leads = is_time_units(v->text("units")) ? since_run(field, times(*v)) : durations(*v);
      check_sorted(v->name, field.leads, true);
      field.lead_position = lead;
    } else if (time >= 0) {
      field.leads = since_run(field, checked_times(field, time));
      field.lead_position = time;
    } else if (run_scalar && time_scalar && run < 0) {
      field.leads = since_run(field, times(*time_scalar));
    } else if (lead_scalar) {
      field.leads = durations(*lead_scalar);
    }
    field.info.has_time = !field.runs.empty();
    if (!field.info.has_time && field.leads.size() > 1)
      fail("variable '" + field.info.name + "' has lead times but no time of the run");
  }

  std::vector<Time> checked_times(const FieldLayout& field, int position) const {
    const NetcdfVariable& v = time_coordinate(field, position);
    std::vector<Time> result = times(v);
    check_sorted(v.name, result, false);
    return result;
  }

  static std::vector<Time> since_run(const FieldLayout& field, std::vector<Time> times) {
    for (Time& t : times) t -= field.runs.at(0);
    return times;
  }

  // A coordinate over the grid as rows x columns values.
  std::vector<double> over_grid(const NetcdfVariable& v, size_t rows, size_t columns) const {
    const std::vector<double> values = pool_.read(path_, v);
    std::vector<double> result(rows * columns);
    const bool transposed = v.dimensions.size() > 1 && v.dimensions.back() == y_;
    for (size_t row = 0; row < rows; ++row)
      for (size_t column = 0; column < columns; ++column) {
        const size_t index = v.dimensions.size() > 1
                                 ? (transposed ? column * rows + row : row * columns + column)
                                 : (v.dimensions[0] == y_ ? row : column);
        result[row * columns + column] = values.at(index);
      }
    return result;
  }

  void read_grid() {
    Grid& grid = layout_.grid;
    const size_t rows = metadata_.dimensions.at(y_), columns = metadata_.dimensions.at(x_);
    grid.rows = static_cast<int64_t>(rows);
    grid.columns = static_cast<int64_t>(columns);
    grid.separable = latitude_->dimensions.size() == 1 && longitude_->dimensions.size() == 1;
    grid.latitude = over_grid(*latitude_, rows, columns);
    grid.longitude = over_grid(*longitude_, rows, columns);
    grid.y_name = y_;
    grid.x_name = x_;
    const NetcdfVariable *y = metadata_.find(y_), *x = metadata_.find(x_);
    if (y && x && y->dimensions.size() == 1 && x->dimensions.size() == 1) {
      grid.y = over_grid(*y, rows, columns);
      grid.x = over_grid(*x, rows, columns);
      set_axis_units(y->text("units"));
    } else {
      grid.y.resize(rows * columns);
      grid.x.resize(rows * columns);
      for (size_t i = 0; i < rows * columns; ++i) {
        const size_t row = i / columns, column = i % columns;
        grid.y[i] = static_cast<double>(row);
        grid.x[i] = static_cast<double>(column);
      }
    }
  }

  void set_axis_units(const std::string& units) {
    const std::string u = lower_case(units);
    Grid& grid = layout_.grid;
    if (u.starts_with("degree") || grid.separable) grid.axis_units = std::string("degrees");
    if (u != "m" && u != "km" && u != "metre" && u != "meter" && u != "metres" && u != "meters")
      return;
    grid.axis_units = std::string("m");
    if (u == "km")
      for (auto* values : {&grid.x, &grid.y})
        for (double& value : *values) value *= 1000;
  }

  NetcdfPool& pool_;
  const std::string path_;
  const NetcdfMetadata metadata_;
  FileLayout layout_;
  const NetcdfVariable *latitude_ = nullptr, *longitude_ = nullptr;
  std::map<std::string, AxisRole> roles_;
  Names auxiliary_;
  mutable std::map<std::string, std::vector<double>> values_;  // read so far
  std::string y_, x_;                                          // dimensions of the grid
};

}  // namespace

FileLayout describe_layout(NetcdfPool& pool, const std::string& path) {
  return LayoutReader(pool, path).read();
}

}  // namespace py4cast
