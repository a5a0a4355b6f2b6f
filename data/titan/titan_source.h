// The fields of a titan tree: hours of analyses of AROME and ARPEGE, a folder for each.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/grib/grib_contents.h"
#include "data/titan/titan_parameters.h"
#include "data/titan/titan_settings.h"
#include "data/weather/source.h"

namespace py4cast {

// ROOT/conf_GRID.grib (or ROOT/conf.grib): the grid, with constant fields (h, the altitude).
// ROOT/grib/2023-01-01_06h00/FILE.grib: the parameters of titan_parameters.h that FILE holds; what is
//   accumulated over the next hour counts at the hour of its folder.
// ROOT/npy/2023-01-01_06h00/NAME.npy, or NAME_LEVELm.npy, NAME_LEVELhpa.npy: one array on the grid,
//   its rows from north to south.
// ROOT/subdatasets/NAME_GRID_R0-R1-C0-C1/data/2023-01-01_06h00/NAME_LEVELm.npy: one array on a part of the
//   grid, its rows from south to north; R0 and R1 count from TitanSettings::rows_from. That part is the grid then,
//   as that of TitanSettings::subdomain is.
//
// A field of another grid is cut to the points inside of the data set's area and resized
// (data/weather/resize.h): areas cover each other, not points. A file is opened when it is first asked for,
// and a missing one is a gap. Files are scanned by one thread at a time and read by many.
// Error(data): the tree is missing, has no hour, no parameter; a damaged file; an array of another shape.
class TitanSource : public FieldSource {
 public:
  explicit TitanSource(const TitanSettings& settings);

  const Grid& grid() const override { return grid_; }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  void read(const FieldRequest& request, const Region& region, float* out) override;
  bool exists(const FieldRequest& request) const override;
  std::string file_of(const FieldRequest& request) const override;
  // Of fields of other grids, too: the parameter is what forecasts of them are.
  SourceMessage message(const FieldRequest& request) const override;
  std::vector<std::string> notes() const override;
  std::string fingerprint() const override;
  std::string content() const override;

 private:
  // The fields of a file, by name and level (0 where a name has one level).
  using Records = std::map<std::pair<std::string, double>, GribRecord>;

  void list_hours();
  void read_grid();
  void set_grid(const GribRecord& record);
  void cut_grid();
  std::vector<int64_t> part() const;  // [first row, end, first column, end], of TitanSettings
  std::optional<std::string> first_file_on_grid() const;
  void add_variables();
  void describe_arrays(const TitanParameter& parameter, VariableInfo& info) const;
  void describe_messages(const TitanParameter& parameter, VariableInfo& info) const;
  const TitanParameter& parameter_of(const std::string& variable) const;
  std::string path_in(int64_t run, const std::string& file) const;
  const Records& records_of(const std::string& path) const;
  bool holds(const FieldRequest& request, const VariableInfo& info) const;
  std::optional<GribRecord> record_of(const FieldRequest& request) const;
  std::optional<std::string> array_of(const FieldRequest& request) const;  // its path
  std::vector<float> interpolated(const GribRecord& record) const;
  std::vector<float> array(const std::string& path) const;
  [[noreturn]] void refuse(const FieldRequest& request) const;
  std::string grid_key() const;
  bool is_npy() const { return settings_.file_format == TitanFormat::npy; }

  const TitanSettings settings_;
  std::string folder_;                        // of the hours
  std::vector<std::set<std::string>> files_;  // of each hour
  TimeAxis times_;
  Grid grid_;
  // The grid of the files, of which it may be a part.
  struct Whole {
    int64_t rows = 0, columns = 0, first_row = 0, first_column = 0;
    double south = 0, north = 0, west = 0, east = 0;
  } whole_;
  int64_t grid_index_ = -1;  // in contents_
  std::map<std::string, GribRecord> constants_;
  std::vector<VariableInfo> variables_;
  mutable std::mutex mutex_;
  mutable GribContents contents_;
  mutable std::map<std::string, Records> records_;  // by path
};

}  // namespace py4cast
