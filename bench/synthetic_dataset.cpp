#include "bench/synthetic_dataset.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/weather/calendar.h"
#include "engine/random.h"

namespace py4cast {
namespace {

struct SyntheticSettings : Settings {
  PY4CAST_SETTING(int64_t, rows, 512, "Points from south to north.", .minimum = 32);
  PY4CAST_SETTING(int64_t, columns, 512, "Points from west to east.", .minimum = 32);
  PY4CAST_SETTING(int64_t, states, 69, "Fields that are forecast.", .minimum = 1);
  PY4CAST_SETTING(int64_t, forcings, 2, "Fields that are given.", .minimum = 0);
};

class SyntheticSource : public FieldSource {
 public:
  SyntheticSource(const SyntheticSettings& settings, uint64_t seed) {
    grid_.rows = settings.rows;
    grid_.columns = settings.columns;
    for (int64_t row = 0; row < grid_.rows; ++row)
      for (int64_t column = 0; column < grid_.columns; ++column) {
        grid_.latitude.push_back(40 + 0.025 * static_cast<double>(row));
        grid_.longitude.push_back(-5 + 0.025 * static_cast<double>(column));
      }
    grid_.x = grid_.longitude;
    grid_.y = grid_.latitude;
    grid_.x_name = "longitude";
    grid_.y_name = "latitude";
    const Time first = to_time(Calendar::standard, {2023, 1, 1});
    for (int64_t hour = 0; hour < 31 * 24; ++hour) times_.runs.push_back(first + hour * 3600);
    times_.leads = {0};
    const auto add = [&](const std::string& kind, int64_t count) {
      for (int64_t i = 0; i < count; ++i)
        variables_.push_back({.name = kind + "_" + std::to_string(i), .units = "1"});
    };
    add("state", settings.states);
    add("forcing", settings.forcings);
    for (const char* name : {"surface_geopotential", "land_binary_mask"})
      variables_.push_back({.name = name, .units = "1", .standard_name = name, .has_time = false});
    numbers_.resize(static_cast<size_t>(grid_.rows * grid_.columns) + offsets);
    const RandomKey key{seed};
    for (size_t i = 0; i < numbers_.size(); ++i) numbers_[i] = static_cast<float>(key.normal(i));
  }

  const Grid& grid() const override { return grid_; }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  bool exists(const FieldRequest&) const override { return true; }
  std::string fingerprint() const override { return "synthetic"; }

  // A place in the numbers for each field.
  void read(const FieldRequest& request, const Region& region, float* out) override {
    const auto number = static_cast<size_t>(&variable(request.variable) - variables_.data());
    const size_t offset = (number * 977 + static_cast<size_t>(request.run) * 131) % offsets;
    for (int64_t row = region.row_begin; row < region.row_end; ++row)
      out = std::copy_n(
          &numbers_[offset + static_cast<size_t>(row * grid_.columns + region.column_begin)],
          region.columns(), out);
  }

 private:
  static constexpr size_t offsets = 4096;
  Grid grid_;
  TimeAxis times_;
  std::vector<VariableInfo> variables_;
  std::vector<float> numbers_;
};

std::shared_ptr<FieldStore> open_synthetic(const DatasetSettings& given, MemoryLedger* ledger,
                                           const std::optional<Statistics>& statistics) {
  DatasetSettings settings = given;
  const auto own = read_settings<SyntheticSettings>(settings.own ? *settings.own : Json::object());
  auto source = std::make_unique<SyntheticSource>(own, settings.seed);
  Statistics known;
  for (const VariableInfo& variable : source->variables()) {
    if (!variable.has_time) continue;
    const bool state = variable.name.starts_with("state");
    settings.variables.push_back(
        {.name = variable.name, .role = state ? Role::state : Role::forcing});
    known.push_back({.name = variable.name,
                     .mean = 0,
                     .std = 1,
                     .minimum = -5,
                     .maximum = 5,
                     .difference_mean = 0,
                     .difference_std = 1.42});
  }
  settings.periods.train = {.start = "2023-01-01", .end = "2023-01-29"};
  settings.periods.valid = {.start = "2023-01-30", .end = "2023-01-30"};
  settings.periods.test = {.start = "2023-01-31", .end = "2023-01-31"};
  settings.cache_bytes = 0;
  return std::make_shared<FieldStore>(settings, std::move(source), ledger,
                                      statistics ? statistics : known);
}

}  // namespace

DatasetKind synthetic_dataset() {
  return {"synthetic", true, open_synthetic, &table_of<SyntheticSettings>()};
}

}  // namespace py4cast
