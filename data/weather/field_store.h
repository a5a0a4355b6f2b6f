// The fields of one data set, cut to the sub-grid, with what belongs to all its periods: features,
// statistics, constant fields, masks.
#pragma once

#include <array>
#include <compare>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/weather/boundary.h"
#include "data/weather/dataset_info.h"
#include "data/weather/dataset_settings.h"
#include "data/weather/field_cache.h"
#include "data/weather/forcings.h"
#include "data/weather/named_tensor.h"
#include "data/weather/source.h"
#include "data/weather/statistics.h"
#include "engine/device.h"
#include "engine/memory.h"
#include "kernels/fields/field_plane.h"

namespace py4cast {

// A place on the source's axes. Its validity time is run + lead.
struct Moment {
  int64_t run = 0, lead = 0, member = 0;  // indices
  auto operator<=>(const Moment&) const = default;
};

// A state, or the forcings of a time: what kernels/fields/decode_fields.h takes. Plane c becomes
// channel c and has its numbers at numbers[c] (null: a constant), which lie still as long as the
// frame lives.
struct StoredFrame {
  std::vector<FieldPlane> planes;
  std::vector<const void*> numbers;
  std::shared_ptr<Storage> memory;  // of fields that are not kept
  std::vector<float> computed;      // of boundary data and radiation
};

// Features stand in the order of settings.variables, the levels in the order given there, diagnostics
// (forecast, but not given to the network) behind the states. A
// variable with a level axis gives one feature per level, "t_850"; one without gives its short
// name alone, "t2m". Weights that are not given are the source's (FieldSource::default_weight).
//
// Constant fields, in this order if settings.statics names them: x, y (projection or longitude,
// latitude; each rescaled to [0, 1]), geopotential (or orography: whatever of the two the data
// have, or else settings.static_files; rescaled to [0, 1]), border_mask (1 on the frame), land_sea_mask (as in the
// data; without one zeros by settings.land_sea_mask_of_zeros), then the variables of role static (rescaled to [0, 1]). What the data do not have is left out. A constant
// field that has the same value everywhere becomes 1, or 0 if that value is 0, with a note.
//
// Forcings: physical forcings (standardised), then those of the boundary data (data/weather/boundary.h;
// standardised by statistics of their own; 0 where they have no value), then (by settings.time_forcings_first
// before those) those of settings.time_forcings in the order
// sin_hour, cos_hour ("hour"), sin_year, cos_year ("year"), toa_radiation. With the hour angle
// 2 pi * (seconds since midnight UTC) / 86400 and the year angle 2 pi * (seconds since 1 January) /
// (seconds in that year), both of the validity time, the first four are (sin + 1) / 2 and
// (cos + 1) / 2. toa_radiation is max(0, cos(zenith angle)): the radiation at the top of the
// atmosphere divided by 1366 W/m2.
//
// Safe to read from several threads.
class FieldStore {
 public:
  // Statistics are taken as given, else from the cache folder, else computed from the fields of the
  // training period. Error(configuration): variables, levels, members, sub-grid or border that do
  // not fit the data. Error(data): no time in the training period; a missing value (names the
  // variable and the time); a constant state or forcing (its standard deviation is 0).
  FieldStore(DatasetSettings settings, std::unique_ptr<FieldSource> source,
             MemoryLedger* ledger = nullptr, const std::optional<Statistics>& statistics = {});
  ~FieldStore();

  const DatasetSettings& settings() const { return settings_; }
  const DatasetInfo& info() const { return info_; }
  const TimeAxis& times() const;
  const Grid& grid() const { return grid_; }  // of the sub-grid
  const Region& region() const { return region_; }
  const std::vector<int64_t>& members() const { return members_; }  // indices
  // Of the members that are used, the one that the data call so. Error(configuration): none; `key` has asked.
  int64_t member(int64_t number, const std::string& key) const;
  // [lat, lon, features], f32.
  const NamedTensor& statics() const { return statics_; }
  // [rows, columns, 1], f32: 1 on the frame of settings.border points, 0 inside; and 1 minus that.
  const Tensor& border_mask() const { return border_mask_; }
  const Tensor& interior_mask() const { return interior_mask_; }
  // A fingerprint of the content of the source, wherever its files lie; looked at once, by one thread.
  const std::string& content() const;
  // All that numbers made from these fields depend on, and the times of their files: for caches.
  std::string made_from(const std::vector<Moment>& moments) const;
  // What the user should be told: left-out constant fields, recomputed statistics, ...
  const std::vector<std::string>& notes() const { return notes_; }
  // Given statistics that the data can hardly have: other units, another variable.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // Whether the fields stay in memory, in words.
  std::string cache_note() const;

  Time time(const Moment& moment) const;
  // The moment one or several steps of the data later (earlier if negative), on the same run where
  // there are runs. None: the axes lack it.
  std::optional<Moment> shifted(const Moment& moment, int64_t steps) const;
  // The moments with that validity time, the one of the latest run first.
  std::vector<Moment> find(Time validity_time, int64_t member) const;
  // True if the source has all states and physical forcings. Diagnostics may be missing at a start.
  bool exists(const Moment& moment) const;
  bool input_exists(const Moment& moment) const;  // all states
  bool state_exists(const Moment& moment) const;  // and diagnostics
  bool forcing_exists(const Moment& moment) const;
  // Names of the diagnostics that the data have at none of a period's moments.
  std::vector<std::string> absent_diagnostics(Split split) const;
  // Whether the boundary data, if any, can be given so many steps after the start t0 of a forecast.
  bool boundary_exists(const Moment& t0, int64_t steps) const;
  const Boundary* boundary() const { return boundary_.get(); }  // null: none
  // Steps of a period in rising order of run, lead and member: existing fields only, on the lattice
  // of times that samples use. Observation-like data: times inside the period; reforecasts: runs
  // inside the period. Error(data): none, with the times that the data have.
  const std::vector<Moment>& moments(Split split) const;
  // Distance of two samples, in seconds.
  int64_t sample_step_seconds(Split split) const;
  // Reforecasts: the first lead time with states, from which samples are counted.
  Time first_lead() const { return first_lead_; }
  // Observation-like data: the time that the samples of a moment are counted from. That is the start of the period,
  // or the first time after it that stands on the lattice of the data, whether they have it or not; where times
  // leave that lattice for good (every 6 h, then 3 h later every 6 h) the first of them. Stray times and those of a
  // finer stretch leave it as it is.
  Time anchor(Split split, const Moment& moment) const;

  // One state feature in physical units, [rows, columns]; NaN where missing, as a diagnostic that the data lack.
  void read_state(int64_t feature, const Moment& moment, float* out) const;
  // A message of any time that holds a state feature of a member (FieldSource::message).
  SourceMessage message(int64_t feature, int64_t member) const;
  // All state features as they are stored, to be standardised (unless settings.standardize is
  // false); missing values to become 0. Error(data): a missing value without Missing::mask.
  StoredFrame state(const Moment& moment) const;
  StoredFrame input(const Moment& moment) const;  // without the diagnostics
  // All forcings. `moment` is where the physical forcings are read (not needed without them), `t0` the
  // start of the forecast, for the boundary data.
  StoredFrame forcing(Time validity_time, const std::optional<Moment>& moment,
                      const Moment& t0 = {}) const;
  // Instead of a state that the data lack: that of the boundary data, if they have all its features, by
  // name and unit (0 where they have no value); else NaN, as diagnostics are.
  StoredFrame missing_state(Time validity_time, const Moment& t0) const;
  // No state and no forcings have more bytes of numbers.
  int64_t state_bytes() const;
  int64_t forcing_bytes() const;
  // Buffers for as many threads more that read at once (Samples::expect_threads).
  void expect_threads(int64_t threads) const;
  // Decodes a frame: [rows, columns, channels]; `valid` likewise and all_valid [rows, columns] as
  // in decode_frame of kernels/fields/decode_fields.h.
  void decode(const StoredFrame& frame, float* out, float* valid = nullptr,
              float* all_valid = nullptr) const;

 private:
  struct Channels;  // the features read together: state, or physical forcing

  void set_region();
  void set_members();
  void set_features();
  void set_boundary(MemoryLedger* ledger);
  void set_forcing_names();
  std::unique_ptr<FieldSource> further_files(const Texts& files, const Texts& variables) const;
  const std::vector<Time>& step_axis() const;
  std::vector<Time> state_times() const;
  void set_step();
  void set_cache(MemoryLedger* ledger);
  void set_statistics(const std::optional<Statistics>& given);
  Statistics compute(const std::vector<Feature>& features, const std::vector<Moment>& fields) const;
  void compare_with(const std::vector<Feature>& features, const Statistics& given);
  void look_for_fills(const Feature& feature, int64_t plane, const FeatureStatistics& statistics);
  std::vector<Time> anchors(Split split) const;
  std::vector<Moment> find_moments(Split split) const;
  void note_missing_times(Split split);
  void note_shared_times();
  FieldRequest request(const Feature& feature, const Moment& moment) const;
  bool exists(std::span<const Feature> features, const Moment& moment) const;
  std::span<const Feature> inputs() const;
  int64_t moved_forcings() const;  // of the first ones, so many follow the time forcings
  StoredField field(const Feature& feature, int64_t plane, const Moment& moment,
                    std::byte* spare) const;
  bool lacks_diagnostic(const Feature& feature, int64_t plane, const Moment& moment) const;
  void read_physical(const Feature& feature, int64_t plane, const Moment& moment, float* out) const;
  void read_any(const std::vector<Feature>& features, size_t f, const Moment& moment,
                float* out) const;
  size_t own_features() const { return info_.state.size() + info_.physical_forcing.size(); }
  Packing read_checked(const Feature& feature, int64_t plane, const Moment& moment,
                       std::byte* out) const;
  void add(const Channels& channels, const Moment& moment, StoredFrame& frame) const;
  void add_boundary(size_t feature, const FeatureStatistics& statistics, Time validity_time,
                    const Moment& t0, float* out, StoredFrame& frame) const;

  const CpuLevel level_ = best_cpu_level();
  DatasetSettings settings_;
  std::unique_ptr<FieldSource> source_;
  std::unique_ptr<Boundary> boundary_;  // null: none
  Grid grid_;
  Region region_;
  std::vector<int64_t> members_;
  DatasetInfo info_;
  std::optional<TimeForcings> time_forcings_;
  NamedTensor statics_;
  Tensor border_mask_, interior_mask_;
  std::vector<std::string> notes_, warnings_;
  std::array<int64_t, 3> sample_steps_{}, run_steps_{};  // by Split, in seconds
  std::array<std::vector<Moment>, 3> moments_;           // by Split
  std::array<std::vector<Time>, 3> anchors_;  // by Split and run, from the start of the period on
  std::vector<int64_t> plane_bytes_;  // at most: of the states, then of the physical forcings
  std::unique_ptr<FieldCache> cache_;
  std::map<Moment, int64_t> cached_;  // number of the moment in the cache
  Time first_lead_ = 0;               // with states
  int64_t all_bytes_ = 0;             // of the fields of all periods
  std::string statics_content_;       // of settings.static_files
  mutable std::string content_;
  std::vector<std::vector<bool>> untrained_;  // by plane: points without a value in the training
};

}  // namespace py4cast
