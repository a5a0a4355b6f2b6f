// Fields of another model as forcings: on the grid of the data set, at any time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/weather/bilinear.h"
#include "data/weather/dataset_info.h"
#include "data/weather/dataset_settings.h"
#include "data/weather/field_cache.h"
#include "data/weather/units.h"

namespace py4cast {

// What a forecast knows of the model around it (dataset.boundary). At the time t of a forecast that starts at s
// a feature is
//   by run     of the latest run r with r + delay <= s that has leads around t; of data without runs (analyses,
//              or one run alone) simply that of the time t
//   in time    linear between the two nearest leads (times) that have the field, which are at most a step
//              (`step_hours`, else the usual distance of two; of leads also neighbours) apart; at a lead
//              (time) itself that field alone
//   in space   bilinear (data/weather/bilinear.h)
//   in units   those of the state of its name, if they can be converted to them
// Features are named "boundary_" + name. With BoundaryRegion::border only points of the border have a value.
// Members: one stands for all; else member m of the data set has member m.
//
// Safe to read from several threads. Fields that were read stay in memory, on their own grid, if all that the
// data have of them fit into `cache_bytes`.
class Boundary {
 public:
  // The data set around which this is.
  struct Inside {
    const Grid& grid;
    Calendar calendar;
    const Tensor& border_mask;          // [rows, columns, 1]
    const std::vector<Feature>& state;  // wanted where the settings name no variable
    int64_t members;                    // the highest one and 1
  };
  // Error(configuration): variables or levels that the data lack; a step that is none; no border to be cut out
  // for. Error(data): another calendar; too few members; points outside of the grid.
  Boundary(const DatasetSettings& settings, std::unique_ptr<FieldSource> source,
           const Inside& inside, MemoryLedger* ledger);

  const std::vector<Feature>& features() const { return features_; }
  const std::vector<std::string>& notes() const { return notes_; }  // for the log
  // The points of the data set that have a value.
  const std::vector<int64_t>& points() const { return bilinear_->points(); }
  // The feature that is a state's, by name and unit: a forecast's border can be taken from it.
  std::optional<size_t> feature_of(const Feature& state) const;

  // Whether all features can be given at `time` in a forecast that starts at `start`.
  bool exists(Time start, Time time, int64_t member) const;
  // In physical units, [points of the data set]; NaN where missing, `elsewhere` outside of points().
  // Error(data): it does not exist; as FieldSource::read.
  void read(size_t feature, Time start, Time time, int64_t member, float* out,
            float elsewhere) const;

  std::string file() const;  // the first one, for messages
  std::string describe()
      const;  // "3 runs from 2018-05-01T00:00:00 to ..., with leads of 0 to 36 h"
  int64_t cached_bytes() const { return cached_bytes_; }  // of the fields that stay in memory
  std::string fingerprint() const;                        // of files and settings
  std::string content() const { return source_->content(); }

 private:
  // A field of the source, or one between two: first + share * (second - first).
  struct Pick {
    FieldRequest first, second;
    double share = 0;
  };
  std::optional<Pick> pick(const Feature& feature, Time start, Time time, int64_t member) const;
  std::optional<Pick> between(FieldRequest request, int64_t FieldRequest::*index,
                              const std::vector<Time>& axis, Time time) const;
  const float* field(size_t feature, const FieldRequest& request, std::vector<float>& spare) const;

  const BoundarySettings settings_;
  std::unique_ptr<FieldSource> source_;
  std::vector<Feature> features_;
  std::vector<UnitConversion> conversions_;  // of features_
  std::vector<std::string> notes_;
  std::unique_ptr<Bilinear> bilinear_;
  int64_t step_ = 0, delay_ = 0;  // seconds
  int64_t cached_bytes_ = 0;
  std::unique_ptr<FieldCache> cache_;  // null: fields are read when needed
};

}  // namespace py4cast
