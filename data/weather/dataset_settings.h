// What a data set is made of: the typed settings that the trainer fills from its configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/samples/split.h"

namespace py4cast {

enum class Role { state, forcing, constant };
// "state", "forcing" or "static". Error(configuration): another name, with the nearest.
Role parse_role(std::string_view name);

struct DatasetVariable {
  std::string name;  // in the file
  Role role = Role::state;
  std::vector<double> levels;    // in the units of the file; empty: all that the file has
  std::optional<double> weight;  // in the loss; absent: by level (data/weather/field_store.h)
  std::string short_name;        // empty: the name in the file
};

struct DatasetPeriod {
  // ISO 8601, inclusive; a date as the end means the whole day. Empty: the first, the last time of
  // the data.
  std::string start, end;
  double step_hours = 0;  // between the first steps of two samples; 0: the step of the data
};

struct DatasetSettings {
  std::string name;                // its kind (data/weather/dataset_kind.h)
  std::vector<std::string> files;  // names or shell patterns
  std::vector<DatasetVariable> variables;
  DatasetPeriod train, valid, test;
  std::vector<int64_t> subgrid;  // first row, end row, first column, end column; empty: all
  int64_t border = 0;            // width of the frame [points]
  double step_hours = 0;         // 0: the most frequent distance of two times in the files
  std::vector<int64_t> members;  // empty: all
  std::vector<std::string> time_forcings = {"hour", "year"};  // also "toa_radiation"
  std::vector<std::string> statics = {"x", "y", "geopotential", "border_mask", "land_sea_mask"};
  bool gaps_are_errors = false;  // else samples that lack a time are left out
  bool mask_missing = false;     // else a missing value is an error
  bool standardize = true;
  std::string cache_folder;                // of statistics; empty: they are not kept
  int64_t cache_bytes = int64_t{1} << 31;  // fields stay in memory if all of them fit in so much
  uint64_t seed = 42;                      // of the dummy's random numbers

  const DatasetPeriod& period(Split split) const {
    return split == Split::train ? train : split == Split::valid ? valid : test;
  }
};

}  // namespace py4cast
