#include "data/cf/file_layout.h"

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "data/cf/axis_role.h"
#include "data/cf/file_coordinates.h"
#include "data/cf/file_grid.h"
#include "data/cf/unpacking.h"
#include "data/weather/calendar.h"
#include "engine/error.h"
#include "engine/text.h"

namespace py4cast {
namespace {

using Names = std::set<std::string>;

class LayoutReader {
 public:
  LayoutReader(CfFiles& files, const std::string& path, const Names& wanted)
      : files_(files),
        path_(path),
        wanted_(wanted),
        metadata_(files.describe(path)),
        helpers_(helper_variables(metadata_)),
        grid_(find_grid(files, metadata_, helpers_)),
        coordinates_(files, metadata_) {}

  FileLayout read() {
    layout_.path = path_;
    find_roles();
    find_fields();
    layout_.grid = read_grid(files_, metadata_, grid_, y_, x_, layout_.fields.front().variable);
    return std::move(layout_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, path_, ": ", what);
  }

  void find_roles() {
    for (const auto& [dimension, length] : metadata_.dimensions) {
      std::optional<AxisRole> role;
      if (const CfVariable* v = metadata_.find(dimension);
          v && v->dimensions == std::vector{dimension}) {
        role = role_of_attributes(*v);
        if (!role) role = role_of_name(dimension);
      }
      if (!role) role = coordinates_.role_along(dimension);
      if (!role) role = role_of_name(dimension);
      if (role) roles_[dimension] = *role;
    }
    const std::vector<std::string>& plane = grid_.latitude->dimensions;
    if (plane.size() >= 2) {
      set_plane(plane[plane.size() - 2], plane.back());
    } else {
      y_ = plane[0];
      x_ = grid_.longitude->dimensions[0];
    }
    for (auto& [dimension, known] : roles_)
      if (known == AxisRole::y || known == AxisRole::x) known = AxisRole::level;
    roles_[y_] = AxisRole::y;
    roles_[x_] = AxisRole::x;
    leave_lists_of_times();
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

  // Times along which nothing lies on the grid (of observations) are no axis, unless their name says so.
  void leave_lists_of_times() {
    Names of_grid;
    for (const CfVariable& v : metadata_.variables)
      if (std::ranges::count(v.dimensions, y_) > 0 && std::ranges::count(v.dimensions, x_) > 0)
        of_grid.insert(v.dimensions.begin(), v.dimensions.end());
    std::erase_if(roles_, [&](const auto& known) {
      return is_timely(known.second) && !of_grid.contains(known.first) &&
             role_of_name(known.first) != known.second;
    });
  }

  static bool is_timely(AxisRole role) {
    return role == AxisRole::run || role == AxisRole::time || role == AxisRole::lead;
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
  }

  bool is_field(const CfVariable& v) const {
    return v.is_numeric() && !metadata_.dimensions.contains(v.name) && &v != grid_.latitude &&
           &v != grid_.longitude && !helpers_.contains(v.name) && !auxiliary_.contains(v.name) &&
           !is_axis(v);
  }

  // Of a dimension that has another name.
  bool is_axis(const CfVariable& v) const {
    if (v.dimensions.size() != 1) return false;
    const auto role = roles_.find(v.dimensions[0]);
    return role != roles_.end() && role_of_attributes(v) == role->second;
  }

  // What fields name as their coordinates are no fields.
  void find_auxiliary() {
    for (const CfVariable& v : metadata_.variables) {
      std::istringstream words(v.text("coordinates"));
      for (std::string word; words >> word;) auxiliary_.insert(word);
    }
  }

  void find_fields() {
    find_auxiliary();
    for (const CfVariable& v : metadata_.variables) {
      if (v.dimensions.size() > 1 && metadata_.dimensions.contains(v.name))
        layout_.left_out[v.name] =
            "it has the name of a dimension, so it is taken for a coordinate";
      if (!is_field(v)) continue;
      FieldLayout field;
      field.variable = v;
      if (const std::string reason = find_positions(v, field); !reason.empty()) {
        layout_.left_out[v.name] = reason;
        continue;
      }
      field.info.name = v.name;
      field.info.units = v.text("units");
      field.info.long_name = v.text("long_name");
      if (field.info.long_name.empty()) field.info.long_name = v.text("description");  // WRF
      field.info.standard_name = v.text("standard_name");
      field.info.cell_methods = v.text("cell_methods");
      field.info.role = v.role;
      field.info.limits = limits_of(v);
      try {
        if (const std::string problem = v.packing_problem(); !problem.empty()) fail(problem);
        find_levels(field);
        find_members(field);
        find_times(field);
        layout_.fields.push_back(std::move(field));
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::data) throw;
        leave_out(v.name, error.what());
      }
    }
    keep_the_usual_times();
    for (const FieldLayout& field : layout_.fields) layout_.has_time |= field.info.has_time;
    if (layout_.fields.empty() && !layout_.unusable.empty())
      fail("variable '" + layout_.unusable.front() +
           "' cannot be used: " + layout_.left_out.at(layout_.unusable.front()));
    if (layout_.fields.empty())
      fail("there is no variable on a grid of latitude and longitude" + reasons() +
           unread_groups(metadata_));
  }

  void leave_out(const std::string& variable, std::string reason) {
    if (reason.starts_with(path_ + ": ")) reason.erase(0, path_.size() + 2);
    layout_.left_out[variable] = reason;
    layout_.unusable.push_back(variable);
  }

  // Those of most variables, of a wanted one if there is one. Others may have some of them and more; what
  // has another calendar, or (not wanted) several times and none of these, belongs to another data set.
  void keep_the_usual_times() {
    std::map<std::pair<std::vector<Time>, std::vector<Time>>, size_t> counts;
    const FieldLayout* usual = nullptr;
    const auto weight = [&](const FieldLayout& field) {  // then: the one with more times
      return std::tuple(wanted_.contains(field.info.name), counts[{field.runs, field.leads}],
                        field.runs.size() * field.leads.size());
    };
    for (const FieldLayout& field : layout_.fields) {
      if (has_many_times(field)) ++counts[{field.runs, field.leads}];
      if (field.calendar && (!usual || weight(field) > weight(*usual))) usual = &field;
    }
    if (!usual) return;
    layout_.calendar = *usual->calendar;
    const std::vector<Time> times = validity_times(*usual);
    std::vector<FieldLayout> kept;
    for (FieldLayout& field : layout_.fields)
      if (field.calendar && !same_calendar(*field.calendar, layout_.calendar, field.runs))
        leave_out(field.info.name,
                  "its times count in the calendar " + calendar_name(*field.calendar) +
                      ", those of the others in " + calendar_name(layout_.calendar));
      else if (!wanted_.contains(field.info.name) && has_many_times(field) && times.size() > 1 &&
               !shares_one(validity_times(field), times))
        leave_out(field.info.name, "it has no time that the others have");
      else
        kept.push_back(std::move(field));
    layout_.fields = std::move(kept);
  }

  static bool has_many_times(const FieldLayout& field) {
    return field.runs.size() * field.leads.size() > 1;
  }

  static std::vector<Time> validity_times(const FieldLayout& field) {
    std::vector<Time> times;
    for (const Time run : field.runs)
      for (const Time lead : field.leads) times.push_back(run + lead);
    std::ranges::sort(times);
    return times;
  }

  static bool shares_one(const std::vector<Time>& a, const std::vector<Time>& b) {
    return std::ranges::any_of(a, [&](Time t) { return std::ranges::binary_search(b, t); });
  }

  // ": 't2m' (its ...), 'u' (its ...)"
  std::string reasons() const {
    constexpr size_t listed = 3;
    std::string text;
    size_t count = 0;
    for (const auto& [name, reason] : layout_.left_out)
      if (++count <= listed) text += (count > 1 ? ", '" : ": '") + name + "' (" + reason + ")";
    return count > listed ? text + " and " + std::to_string(count - listed) + " more" : text;
  }

  // Sets the positions; returns why the variable is no field.
  std::string find_positions(const CfVariable& v, FieldLayout& field) {
    for (const std::string& dimension : {y_, x_})
      if (std::ranges::count(v.dimensions, dimension) == 0)
        return "it is not a field on the grid (" + y_ + ", " + x_ + "), but " + v.describe_shape();
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
    for (size_t d = 0; d < v.shape.size(); ++d)
      if (v.shape[d] == 0) return "its dimension '" + v.dimensions[d] + "' has the length 0";
    return "";
  }

  static int at(const FieldLayout& field, AxisRole role) {
    return field.position[static_cast<size_t>(role)];
  }

  static const std::string& dimension(const FieldLayout& field, int position) {
    return field.variable.dimensions[static_cast<size_t>(position)];
  }

  std::vector<const CfVariable*> scalars(AxisRole role) const {
    std::vector<const CfVariable*> found;
    for (const CfVariable& v : metadata_.variables) {
      size_t values = 1;
      for (size_t n : v.shape) values *= n;
      if (!v.is_numeric() || v.dimensions.size() > 1 || values != 1) continue;
      if (!v.dimensions.empty() && v.dimensions[0] == v.name) continue;
      std::optional<AxisRole> known = role_of_attributes(v);
      if (!known && auxiliary_.count(v.name) > 0) known = role_of_name(v.name);
      if (known == role) found.push_back(&v);
    }
    return found;
  }

  // The scalar coordinate with a role, or null.
  const CfVariable* scalar(AxisRole role) const {
    const auto found = scalars(role);
    return found.empty() ? nullptr : found[0];
  }

  // That the field names as its own, else one that is nobody's.
  const CfVariable* scalar_level_of(const FieldLayout& field) const {
    std::istringstream words(field.variable.text("coordinates"));
    for (std::string word; words >> word;)
      for (const CfVariable* v : scalars(AxisRole::level))
        if (v->name == word) return v;
    for (const CfVariable* v : scalars(AxisRole::level))  // not for its unit: "p0" is in Pa, too
      if (!auxiliary_.contains(v->name) &&
          (lower_case(v->text("axis")) == "z" || !v->text("positive").empty() ||
           Names{"height", "altitude", "depth", "air_pressure"}.contains(v->text("standard_name"))))
        return v;
    return nullptr;
  }

  // Of a dimension, or of a scalar coordinate (position < 0).
  std::vector<double> numbers(const FieldLayout& field, int position, const CfVariable* v) const {
    if (position < 0) return coordinates_.distinct(v, v->name, 1);
    return coordinates_.distinct(v, dimension(field, position),
                                 field.variable.shape[static_cast<size_t>(position)]);
  }

  void find_levels(FieldLayout& field) const {
    const int position = at(field, AxisRole::level);
    const CfVariable* v = position >= 0
                              ? coordinates_.along(dimension(field, position), AxisRole::level)
                              : scalar_level_of(field);
    if (position < 0 && !v) return;
    field.info.level_name = position >= 0 ? dimension(field, position) : v->name;
    field.info.levels = numbers(field, position, v);
    field.scalar_level = position < 0;
    if (!v) return;
    field.info.level_units = v->text("units");
    if (v->text("formula_terms").empty())  // that name would need them
      field.info.level_standard_name = v->text("standard_name");
    field.info.level_positive = v->text("positive");
  }

  void find_members(FieldLayout& field) const {
    const int position = at(field, AxisRole::member);
    const CfVariable* v = position >= 0
                              ? coordinates_.along(dimension(field, position), AxisRole::member)
                              : scalar(AxisRole::member);
    field.has_member = position >= 0 || v;
    field.members = field.has_member ? numbers(field, position, v) : std::vector<double>{0};
    if (position >= 0 && !v)
      field.member_names = coordinates_.texts_along(dimension(field, position));
  }

  // A variable without an axis of time in a file that has one is constant.
  bool is_constant(const FieldLayout& field) const {
    for (AxisRole role : {AxisRole::run, AxisRole::time, AxisRole::lead})
      if (at(field, role) >= 0) return false;
    for (const CfVariable& v : metadata_.variables)
      for (const std::string& dimension : v.dimensions)
        if (const auto role = roles_.find(dimension);
            role != roles_.end() && is_timely(role->second))
          return true;
    return false;
  }

  // In one calendar.
  std::vector<Time> times_of(FieldLayout& field, const CfVariable& v) const {
    const Calendar own = coordinates_.calendar_of(v);
    std::vector<Time> times = coordinates_.times(v);
    if (!field.calendar) field.calendar = own;
    if (!same_calendar(*field.calendar, own, times))
      fail("variable '" + v.name + "' counts in the calendar " + calendar_name(own) +
           ", other times of variable '" + field.info.name + "' in " +
           calendar_name(*field.calendar));
    return times;
  }

  void find_times(FieldLayout& field) const {
    field.info.has_time = !is_constant(field);
    if (!field.info.has_time) return;
    const int run = at(field, AxisRole::run), time = at(field, AxisRole::time),
              lead = at(field, AxisRole::lead);
    const CfVariable *run_scalar = scalar(AxisRole::run), *lead_scalar = scalar(AxisRole::lead),
                     *time_scalar = scalar(AxisRole::time);
    field.leads = {0};
    field.run_position = run;
    if (run >= 0 && time >= 0 && field.variable.shape[static_cast<size_t>(run)] != 1)
      fail("variable '" + field.info.name +
           "' has dimensions of run and of time; lead times are needed");
    if (run >= 0) {
      field.runs = times_at(field, run);
    } else if (run_scalar) {
      field.runs = times_of(field, *run_scalar);
    } else if (time >= 0) {
      field.run_position = time;
      field.runs = times_at(field, time);
      return;
    } else if (time_scalar) {
      field.runs = times_of(field, *time_scalar);
      if (lead < 0) return;
    }
    if (lead >= 0) {
      const CfVariable* v = coordinates_.along(dimension(field, lead), AxisRole::lead);
      if (!v)
        fail("dimension '" + dimension(field, lead) +
             "' has no coordinate variable with the lead times");
      field.leads = is_time_units(v->text("units")) ? since_run(field, times_of(field, *v))
                                                    : coordinates_.durations(*v);
      coordinates_.check_rising(v->name, field.leads, {});
      field.lead_position = lead;
    } else if (time >= 0) {
      field.leads = since_run(field, times_at(field, time));
      field.lead_position = time;
    } else if (run_scalar && time_scalar && run < 0) {
      field.leads = since_run(field, times_of(field, *time_scalar));
    } else if (lead_scalar) {
      field.leads = coordinates_.durations(*lead_scalar);
    }
    field.info.has_time = !field.runs.empty();
    if (!field.info.has_time && field.leads.size() > 1) since_run(field, {});
  }

  std::vector<Time> times_at(FieldLayout& field, int position) const {
    const CfVariable& v = coordinates_.times_along(dimension(field, position));
    std::vector<Time> times = times_of(field, v);
    coordinates_.check_rising(v.name, times, field.calendar);
    return times;
  }

  std::vector<Time> since_run(const FieldLayout& field, std::vector<Time> times) const {
    if (field.runs.empty())
      fail("variable '" + field.info.name + "' has lead times but no time of the run");
    for (Time& t : times) t -= field.runs[0];
    return times;
  }

  CfFiles& files_;
  const std::string path_;
  const Names& wanted_;
  const CfMetadata metadata_;
  const Names helpers_;
  const GridCoordinates grid_;
  const FileCoordinates coordinates_;
  FileLayout layout_;
  std::map<std::string, AxisRole> roles_;
  Names auxiliary_;
  std::string y_, x_;  // dimensions of the grid
};

}  // namespace

FileLayout describe_layout(CfFiles& files, const std::string& path,
                           const std::set<std::string>& wanted) {
  return LayoutReader(files, path, wanted).read();
}

}  // namespace py4cast
