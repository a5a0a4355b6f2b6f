// What one CF netCDF file means: its grid, its axes, its fields.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/cf/axis_role.h"
#include "data/cf/cf_files.h"
#include "data/weather/source.h"

namespace py4cast {

// One field variable of one file.
struct FieldLayout {
  VariableInfo info;  // levels: of this file
  CfVariable variable;
  // Position of each role's dimension among the variable's dimensions, or -1.
  std::array<int, axis_roles> position;
  // Time of each index, in seconds. Observation-like: runs along the time dimension, one lead 0.
  // Reforecast-like: the run dimension (or one run for the file) and the lead (or time) dimension.
  std::vector<Time> runs, leads;
  std::vector<double> members;  // numbers of the members; one value without a member dimension
  std::vector<std::string> member_names;  // where they are texts, and `members` just counts them
  bool has_member = false;                // the file numbers its members
  std::optional<Calendar> calendar;       // of its times
  // The position of the dimensions along which runs and leads lie, or -1.
  int run_position = -1, lead_position = -1;
  bool scalar_level = false;  // the one level comes from a scalar coordinate
};

struct FileLayout {
  std::string path;
  Grid grid;
  bool has_time = false;
  Calendar calendar = Calendar::standard;  // of all its times
  std::vector<FieldLayout> fields;
  std::map<std::string, std::string> left_out;  // variable -> why it is no field
  std::vector<std::string> unusable;            // of them, those that are on the grid
};

// Axes are recognised by their coordinate variable's `axis`, `standard_name`, `positive` and
// `units` attributes, then by their name; two-dimensional latitudes and longitudes by
// `standard_name`, `units` or name. Source: CF conventions 1.8, chapters 4 and 5. Error(data): no
// latitude and longitude. A variable on a time axis without units, with unsorted or repeated times, with
// repeated or missing levels and members, is left out; Error(data) if there is no other. So is one that
// shares no time with most others (with the `wanted`, if the file has such), unless it is wanted.
FileLayout describe_layout(CfFiles& files, const std::string& path,
                           const std::set<std::string>& wanted = {});

}  // namespace py4cast
