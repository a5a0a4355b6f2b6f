#include "train/forecast/source_summary.h"

#include <algorithm>
#include <iomanip>
#include <map>
#include <sstream>

#include "data/weather/calendar.h"

namespace py4cast {
namespace {

void write_range(std::ostringstream& out, const char* name, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (low != values.end()) out << ", " << name << ' ' << *low << " ... " << *high;
}

// "744 from A to B, every 1 h (2 other intervals)"
void write_axis(std::ostringstream& out, const std::vector<Time>& times, Calendar calendar) {
  out << times.size();
  if (times.empty()) return;
  out << " from " << format_time(calendar, times.front()) << " to "
      << format_time(calendar, times.back());
  std::map<Time, size_t> intervals;
  for (size_t i = 1; i < times.size(); ++i) ++intervals[times[i] - times[i - 1]];
  if (intervals.empty()) return;
  const auto usual = std::max_element(intervals.begin(), intervals.end(),
                                      [](auto& a, auto& b) { return a.second < b.second; });
  out << ", every " << static_cast<double>(usual->first) / 3600 << " h";
  const size_t others = times.size() - 1 - usual->second;
  if (others > 0) out << " (" << others << " of another length)";
}

void write_variable(std::ostringstream& out, const VariableInfo& variable, size_t width) {
  out << "  " << std::left << std::setw(static_cast<int>(width) + 2) << variable.name
      << std::setw(14) << (variable.units.empty() ? "-" : variable.units);
  out << (variable.long_name.empty() ? variable.standard_name : variable.long_name);
  if (!variable.has_time) out << " (constant)";
  if (const auto levels = variable.known_levels(); !levels.empty()) {
    out << " on " << variable.level_name << ' ';
    for (size_t i = 0; i < levels.size(); ++i) out << (i ? ", " : "") << levels[i];
    if (!variable.level_units.empty()) out << ' ' << variable.level_units;
  }
  out << '\n';
}

}  // namespace

std::string source_summary(const FieldSource& source) {
  std::ostringstream out;
  const Grid& grid = source.grid();
  out << "grid       " << grid.rows << " rows x " << grid.columns << " columns";
  write_range(out, "latitude", grid.latitude);
  write_range(out, "longitude", grid.longitude);
  const TimeAxis& times = source.times();
  out << (times.reforecast() ? "\nruns       " : "\ntimes      ");
  write_axis(out, times.runs, times.calendar);
  out << " (" << calendar_name(times.calendar) << " calendar)\n";
  if (times.reforecast())
    out << "lead times " << times.leads.size() << " from "
        << static_cast<double>(times.leads.front()) / 3600 << " to "
        << static_cast<double>(times.leads.back()) / 3600 << " h\n";
  if (times.members > 1) out << "members    " << times.members << '\n';
  out << "variables  " << source.variables().size() << '\n';
  size_t width = 0;
  for (const VariableInfo& variable : source.variables())
    width = std::max(width, variable.name.size());
  for (const VariableInfo& variable : source.variables()) write_variable(out, variable, width);
  const auto left_out = source.left_out();
  if (!left_out.empty()) out << "left out   " << left_out.size() << '\n';
  for (const auto& [name, reason] : left_out) out << "  " << name << ": " << reason << '\n';
  return out.str();
}

}  // namespace py4cast
