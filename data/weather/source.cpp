#include "data/weather/source.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include "data/weather/calendar.h"
#include "data/weather/units.h"
#include "engine/error.h"

namespace py4cast {

Grid grid_part(const Grid& grid, const Region& region) {
  Grid part = grid;
  part.rows = region.rows();
  part.columns = region.columns();
  for (auto [values, whole] :
       {std::pair{&part.latitude, &grid.latitude}, std::pair{&part.longitude, &grid.longitude},
        std::pair{&part.x, &grid.x}, std::pair{&part.y, &grid.y}}) {
    if (whole->empty()) continue;
    values->clear();
    for (int64_t row = region.row_begin; row < region.row_end; ++row) {
      const auto begin = whole->begin() + row * grid.columns;
      values->insert(values->end(), begin + region.column_begin, begin + region.column_end);
    }
  }
  return part;
}

std::string VariableInfo::limits_note() const {
  return limits.empty() ? "" : " (those beyond its " + limits + " count as missing)";
}

std::optional<int64_t> VariableInfo::index_of_level(double level) const {
  const auto found = std::ranges::find_if(levels, [level](double each) {
    return std::abs(each - level) <= 1e-5 * std::max(1.0, std::abs(level));
  });
  if (found == levels.end()) return {};
  return found - levels.begin();
}

const VariableInfo& FieldSource::variable(const std::string& name) const {
  std::vector<std::string> names;
  for (const VariableInfo& info : variables()) {
    if (info.name == name) return info;
    names.push_back(info.name);
  }
  const std::string where = place(), begin = where + (where.empty() ? "" : ": ");
  const auto reasons = left_out();
  if (const auto found = reasons.find(name); found != reasons.end())
    throw Error(ErrorKind::data, begin, "variable '", name, "' cannot be used: ", found->second);
  throw Error(ErrorKind::data, begin, "variable '", name, "' is missing; the nearest is '",
              nearest_name(name, names), "'");
}

std::vector<double> VariableInfo::known_levels() const {
  return only_level ? std::vector{*only_level} : levels;
}

double FieldSource::default_weight(const VariableInfo& info, double level) const {
  const auto pressure = info.levels.empty() ? std::nullopt : hectopascals_in(info.level_units);
  return pressure ? 1 + level * *pressure / 1000 : 2;
}

void FieldSource::check_region(const Region& region) const {
  if (region.row_begin < 0 || region.row_end > grid().rows || region.rows() < 0 ||
      region.column_begin < 0 || region.column_end > grid().columns || region.columns() < 0)
    throw Error(ErrorKind::shape, "rows ", region.row_begin, " to ", region.row_end, ", columns ",
                region.column_begin, " to ", region.column_end, " do not lie on the grid of ",
                grid().rows, " x ", grid().columns, " points");
}

std::string FieldSource::describe(const FieldRequest& request) const {
  std::ostringstream text;
  text << "variable '" << request.variable << "'";
  const VariableInfo& info = variable(request.variable);
  const TimeAxis& axis = times();
  const auto within = [](int64_t index, size_t size) {
    return index >= 0 && static_cast<size_t>(index) < size;
  };
  if (info.has_time) {
    text << " of ";
    if (within(request.run, axis.runs.size()))
      text << format_time(axis.calendar, axis.runs[static_cast<size_t>(request.run)]);
    else
      text << "run " << request.run << " of " << axis.runs.size();
    if (axis.reforecast() && within(request.lead, axis.leads.size()))
      text << " + " << static_cast<double>(axis.leads[static_cast<size_t>(request.lead)]) / 3600.0
           << " h";
    if (axis.members > 1) text << ", member " << axis.number_of(request.member);
  }
  if (within(request.level, info.levels.size()))
    text << ", level " << info.levels[static_cast<size_t>(request.level)];
  else if (request.level != 0)
    text << ", level number " << request.level;
  return text.str();
}

Packing FieldSource::read_stored(const FieldRequest& request, const Region& region, void* out) {
  read(request, region, static_cast<float*>(out));
  return {};
}

}  // namespace py4cast
