// What a data set is made of, and the keys of the configuration's section `dataset`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/samples/split.h"
#include "data/weather/source.h"
#include "engine/settings/settings.h"

namespace py4cast {

enum class Role { state, forcing, constant, diagnostic };

struct DatasetVariable : Settings {
  std::string name;  // in the file
  PY4CAST_SETTING(Role, role, Role::state,
                  "state: forecast; forcing: given at every step; static: constant in time; "
                  "diagnostic: forecast, but no input of the network.",
                  .choices = {"state", "forcing", "static", "diagnostic"}, .always_written = true);
  PY4CAST_SETTING(Numbers, levels, {}, "Levels to use, in the units of the file; []: all.");
  // Absent: by level (data/weather/field_store.h).
  PY4CAST_SETTING(std::optional<double>, weight, {},
                  "Weight in the loss; left out: chosen by the level.", .minimum = 0);
  PY4CAST_SETTING(std::string, short_name, "",
                  "Name in tables and scores; left out: the name in the file.");
  bool operator==(const DatasetVariable&) const = default;
};

struct DatasetPeriod : Settings {
  PY4CAST_SETTING(std::string, start, "",
                  "First time of the period, ISO 8601; empty: of the data.");
  PY4CAST_SETTING(std::string, end, "",
                  "Last time of the period, inclusive; a date means the whole day; empty: of the "
                  "data.");
  PY4CAST_SETTING(
      double, step, 0,
      "Hours between the starts (t0, the last given state) of two samples, counted from "
      "the start of the period; 0: every step of the data.",
      .minimum = 0);
  PY4CAST_SETTING(double, run_step, 0,
                  "Of reforecasts: hours between two runs, counted from the start; 0: every run.",
                  .minimum = 0);
  bool given() const { return !start.empty() || !end.empty(); }
  bool operator==(const DatasetPeriod&) const = default;
};

struct DatasetPeriods : Settings {
  PY4CAST_SECTION(DatasetPeriod, train, "Training: weights and statistics come from it.",
                  R"({"start": "2019-03-01", "end": "2019-03-21"})");
  PY4CAST_SECTION(DatasetPeriod, valid, "Validation: chooses the best checkpoint.",
                  R"({"start": "2019-03-22", "end": "2019-03-25"})");
  PY4CAST_SECTION(DatasetPeriod, test, "Test: scored once, after the training.",
                  R"({"start": "2019-03-26", "end": "2019-03-31", "step": 3})");
  bool operator==(const DatasetPeriods&) const = default;
};

enum class BoundaryRegion { overlap, border };

struct BoundaryVariable : Settings {
  std::string name;  // in the file
  PY4CAST_SETTING(Numbers, levels, {}, "Levels to use, in the units of the file; []: all.");
  PY4CAST_SETTING(std::string, short_name, "",
                  "Name in tables, after boundary_; left out: the name in the file.");
  bool operator==(const BoundaryVariable&) const = default;
};

// data/weather/boundary.h
struct BoundarySettings : Settings {
  PY4CAST_SETTING(Texts, files, {},
                  "Names or shell patterns of netCDF, GRIB or Zarr files of another model, whose "
                  "grid covers the data set's; []: no boundary data.");
  PY4CAST_SETTING(std::vector<BoundaryVariable>, variables, {},
                  "The variables by their names in the files; {}: those that are states.");
  PY4CAST_SETTING(BoundaryRegion, region, BoundaryRegion::overlap,
                  "Where the network is given them: overlap, at every point, or border, on the "
                  "frame alone with 0 inside.",
                  .choices = {"overlap", "border"});
  PY4CAST_SETTING(double, step_hours, 0,
                  "Longest distance in hours of two times between which they are interpolated; 0: "
                  "their usual one, and that of neighbouring lead times.",
                  .minimum = 0);
  PY4CAST_SETTING(double, delay_hours, 0,
                  "Hours after its beginning from which on a run of theirs may be used.",
                  .minimum = 0);
  bool operator==(const BoundarySettings&) const = default;
};

enum class Gaps { skip, error };
enum class Missing { error, mask };
enum class Overlap { refuse, allow };
enum class Windows { overlapping, disjoint };

struct DatasetSettings : Settings {
  // data/weather/dataset_kind.h
  PY4CAST_SETTING(
      std::string, name, "titan",
      "The kind of data set: netcdf for CF netCDF files, zarr for Zarr stores, grib for GRIB "
      "files, smeagol for the original's tree of ensemble runs, titan for its hours of analyses, "
      "dummy for random numbers.",
      .flags = {"dataset"}, .example = R"("netcdf")");
  PY4CAST_SETTING(Texts, files, {}, "Names or shell patterns; together they are one data set.",
                  .example = R"(["data/era5_2018-*.nc", "data/era5_2019.nc"])");
  PY4CAST_SETTING(std::vector<DatasetVariable>, variables, {},
                  "The variables by their names in the files, in the order of the network's "
                  "features.",
                  .example = R"({"t2m": {"role": "state", "weight": 2.0, "short_name": "t2m"},
                                 "t": {"role": "state", "levels": [500, 850]},
                                 "ssrd": {"role": "forcing"}, "z": {"role": "static"}})");
  PY4CAST_SECTION(DatasetPeriods, periods, "The periods in time.");
  PY4CAST_SETTING(Overlap, overlap, Overlap::refuse,
                  "Whether periods may overlap: scores of what was trained on say little.",
                  .choices = {"refuse", "allow"});
  PY4CAST_SETTING(
      Windows, windows, Windows::overlapping,
      "Whether two samples may share times; disjoint: the next one begins where the last "
      "one ends, as the original takes reforecasts.",
      .choices = {"overlapping", "disjoint"});
  PY4CAST_SETTING(
      bool, as_series, false,
      "Take forecasts as one series of times of validity, each time from the latest run that has "
      "it: short runs that follow each other.");
  PY4CAST_SETTING(
      Integers, subgrid, {},
      "First row, end row, first column, end column of the part of the grid to use; []: "
      "the whole grid.",
      .minimum = 0, .lengths = {0, 4});
  PY4CAST_SETTING(int64_t, border, 0,
                  "Width in points of the frame that is given and not forecast.", .minimum = 0);
  PY4CAST_SECTION(BoundarySettings, boundary,
                  "Fields of another model, interpolated, as forcings of each step.");
  // 0: the most frequent distance of two times in the files.
  PY4CAST_SETTING(double, step_hours, 0, "Time step of the data in hours; 0: as in the files.",
                  .minimum = 0);
  PY4CAST_SETTING(
      Integers, members, {},
      "Members of an ensemble to use, by their numbers in the data (from 0 where they have "
      "none); []: all.",
      .minimum = 0);
  PY4CAST_SETTING(Texts, time_forcings, (Texts{"hour", "year"}),
                  "Forcings made from the time: sine and cosine of the hour and of the day of the "
                  "year, scaled top-of-atmosphere radiation.",
                  .choices = {"hour", "year", "toa_radiation"});
  PY4CAST_SETTING(bool, time_forcings_first, false,
                  "They come before the other forcings, as in the first version of the original.");
  PY4CAST_SETTING(Texts, statics, (Texts{"x", "y", "geopotential", "border_mask", "land_sea_mask"}),
                  "Constant fields given to the network; those that the data lack are left out.",
                  .choices = {"x", "y", "geopotential", "border_mask", "land_sea_mask"});
  PY4CAST_SETTING(
      bool, land_sea_mask_of_zeros, false,
      "Without a land-sea mask in the data the network gets one of zeros, as in the first "
      "version of the original.");
  PY4CAST_SETTING(
      Texts, static_files, {},
      "Further netCDF, GRIB or Zarr files, of constant fields that the data lack (relief, "
      "land-sea mask), each with a grid of its own, from which they are interpolated; the first "
      "that has a field gives it.");
  PY4CAST_SETTING(Gaps, gaps, Gaps::skip,
                  "What a gap in time does: skip the samples over it, or stop.",
                  .choices = {"skip", "error"});
  PY4CAST_SETTING(Missing, missing, Missing::error,
                  "What a missing value does: stop, or mask it out of the loss and the scores.",
                  .choices = {"error", "mask"});
  PY4CAST_SETTING(bool, standardize, true,
                  "Give fields to the network with mean 0 and deviation 1.",
                  .flags = {"standardize"});
  PY4CAST_SETTING(int64_t, cache_bytes, int64_t{1} << 31,
                  "Bytes of memory for fields, on each rank: if those of all periods fit, each is "
                  "read once, else for each batch that needs it.",
                  .minimum = 0);

  std::shared_ptr<const Json> own;  // settings of its kind, dataset.settings; null: the defaults
  // Opens files of any kind for some of their variables (empty: not known): boundary data, static files.
  std::function<std::unique_ptr<FieldSource>(const Texts& files, const Texts& variables)>
      open_files;
  std::string cache_folder;  // of statistics; empty: they are not kept
  // Of the run that forecasts: its step in seconds, that of files with one time (0: not known); its
  // diagnostics, which its files may lack.
  int64_t trained_step = 0;
  std::vector<VariableInfo> trained_diagnostics;
  uint64_t seed = 42;  // of the dummy's random numbers

  const DatasetPeriod& period(Split split) const {
    return split == Split::train   ? periods.train
           : split == Split::valid ? periods.valid
                                   : periods.test;
  }
};

}  // namespace py4cast
