// Where fields come from: one data set on disk (or made up), seen as variables on one grid over
// times.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/fields/field_plane.h"

namespace py4cast {

class MemoryLedger;

// Seconds since 1970-01-01 00:00 in the data's own calendar (data/weather/calendar.h turns it into
// year, month, day ...).
using Time = int64_t;

enum class Calendar { standard, proleptic_gregorian, noleap, all_leap, day_360, julian };

// How the axes of a grid lie on the Earth: a variable of CF files (CF conventions 1.8, section 5.6),
// passed on with forecasts.
struct GridMapping {
  std::string name;  // empty: none
  std::map<std::string, std::string> texts;
  std::map<std::string, std::vector<double>> numbers;
};

// The points of a data set. Row-major, rows x columns. Latitudes keep the order of the file.
struct Grid {
  int64_t rows = 0, columns = 0;
  // Degrees, rows * columns values each. Longitudes have no step of 360 degrees inside the grid.
  std::vector<double> latitude, longitude;
  std::vector<double> x, y;    // projection coordinates [m] or degrees, rows * columns values each
  std::string x_name, y_name;  // names of the horizontal axes in the file ("longitude", "latitude")
  std::string axis_units = "1";  // of x and y: "m", "degrees", or "1" where they are mere indices
  bool separable = true;         // latitude depends on the row only, longitude on the column only
  GridMapping mapping = {};
};

struct VariableInfo {
  std::string name;  // in the file
  std::string units, long_name, standard_name;
  // How values are made of those around them (CF conventions 1.8, section 7.3): "time: mean"; empty: not known.
  std::string cell_methods = {};
  std::string level_name;                 // name of the vertical axis; empty: not known
  std::vector<double> levels;             // to choose from
  std::optional<double> only_level = {};  // instead: "2 m" of a temperature, where it is known
  std::string level_units, level_standard_name;
  std::string level_positive;  // "up", "down": where the levels grow; empty: not known
  std::string level_suffix;    // of the level in names of features: "m" of "t2m_2m"
  bool has_time = true;        // false: constant in time (a static field)
  int64_t stored_bytes = 4;    // of one number, as read_stored gives it, at most
  std::string role = {};       // "state" or "forcing" where the file says so; else empty
  std::string limits =
      {};  // "valid_max = 30": beyond it values are missing; empty: no such attribute

  // " (those beyond its valid_max = 30 count as missing)"; empty: it has no limits.
  std::string limits_note() const;
  std::vector<double> known_levels() const;  // `levels`, or the only one
  // Index of a level, up to rounding in the file.
  std::optional<int64_t> index_of_level(double level) const;
};

// One time axis. Observation-like data have one run per time with lead 0 ("leads" = {0});
// reforecast-like data have runs x lead times (validity time = run + lead) and may have members.
struct TimeAxis {
  Calendar calendar = Calendar::standard;
  std::vector<Time> runs;   // sorted, unique, seconds
  std::vector<Time> leads;  // sorted, seconds
  int64_t members = 1;
  // What the data call the members, rising; empty: they have no numbers.
  std::vector<int64_t> member_numbers = {};
  bool reforecast() const { return leads.size() > 1; }
  // What the user calls it: by its index where they have no numbers.
  int64_t number_of(int64_t member) const {
    return member_numbers.empty() ? member : member_numbers.at(static_cast<size_t>(member));
  }
};

// One field to be read.
struct FieldRequest {
  std::string variable;
  int64_t level = 0;  // index into VariableInfo::levels (0 without levels)
  int64_t run = 0;    // index into TimeAxis::runs
  int64_t lead = 0;   // index into TimeAxis::leads
  int64_t member = 0;
};

// A rectangle of grid points: rows [row_begin, row_end), columns [column_begin, column_end).
struct Region {
  int64_t row_begin = 0, row_end = 0, column_begin = 0, column_end = 0;
  int64_t rows() const { return row_end - row_begin; }
  int64_t columns() const { return column_end - column_begin; }
};

// The points of the region alone.
Grid grid_part(const Grid& grid, const Region& region);

// A GRIB message, and the time of validity that the source gives its field.
struct SourceMessage {
  std::string bytes;  // empty: the field has none
  Time validity = 0;
  bool total = false;  // it and later ones of its run are of intervals that begin together
};

class FieldSource {
 public:
  virtual ~FieldSource() = default;
  virtual const Grid& grid() const = 0;
  virtual const TimeAxis& times() const = 0;
  virtual const std::vector<VariableInfo>& variables() const = 0;
  // Reads one field into out[region.rows() * region.columns()], unpacked to physical units; missing
  // values become NaN. Safe to call from several threads. Error(data): names file, variable and
  // time.
  virtual void read(const FieldRequest& request, const Region& region, float* out) = 0;
  // The same as it is stored: numbers of the type that the result names, which also says how to
  // unpack them to the values of `read` (kernels/fields/decode_fields.h). Fields of one variable
  // may be packed in different ways. Sources that store nothing packed need not override it.
  virtual Packing read_stored(const FieldRequest& request, const Region& region, void* out);
  // False where the file lacks that run, lead or member of a variable (a gap).
  virtual bool exists(const FieldRequest& request) const = 0;
  // The file that holds a field, for messages; empty where there is none.
  virtual std::string file_of(const FieldRequest&) const { return {}; }
  // The GRIB message of a field on the source's grid: what forecasts are written after. Error(data): as read.
  virtual SourceMessage message(const FieldRequest&) const { return {}; }
  // Of a feature in the loss where the user gives none: 1 + p / 1000 hPa on pressure levels, 2 elsewhere.
  virtual double default_weight(const VariableInfo& info, double level) const;
  // What the user should be told when the fields of the periods have been looked for: files that are
  // missing ...
  virtual std::vector<std::string> notes() const { return {}; }
  // What is no variable here although the files hold it, and why.
  virtual std::map<std::string, std::string> left_out() const { return {}; }
  // What identifies the bytes that were read (names, sizes, modification times, some of the content):
  // part of cache keys.
  virtual std::string fingerprint() const = 0;
  // The same without what changes when the files are copied or moved.
  virtual std::string content() const { return fingerprint(); }

  // Where the data are, for messages: "a.nc and 3 more"; empty: nowhere.
  virtual std::string place() const { return {}; }
  // Error(data): one that is left out, with the reason; an unknown one, with the nearest name.
  const VariableInfo& variable(const std::string& name) const;
  // Error(shape): rows or columns that the grid lacks.
  void check_region(const Region& region) const;
  // "variable 't' of 2022-08-06T00:00:00 + 3.25 h, member 1, level 90", for messages.
  std::string describe(const FieldRequest& request) const;
};

}  // namespace py4cast
