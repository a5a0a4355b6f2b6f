#include "data/simulation/dummy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "data/weather/calendar.h"
#include "engine/random.h"

namespace py4cast {
namespace {

constexpr int64_t size = 64;
constexpr std::array random_names = {"input_output_00", "input_output_01", "input_output_02",
                                     "forcing_00", "forcing_01"};
constexpr size_t states = 3;

class DummySource : public FieldSource {
 public:
  explicit DummySource(uint64_t seed) : key_(RandomKey{seed}.child(0)) {
    grid_.rows = grid_.columns = size;
    for (int64_t row = 0; row < size; ++row)
      for (int64_t column = 0; column < size; ++column) {
        grid_.latitude.push_back(static_cast<double>(row - 16) / 2);
        grid_.longitude.push_back(static_cast<double>(column + 30) / 2);
      }
    grid_.x = grid_.longitude;
    grid_.y = grid_.latitude;
    grid_.x_name = "longitude";
    grid_.y_name = "latitude";
    const Time first = to_time(Calendar::standard, {2023, 1, 1});
    for (int64_t hour = 0; hour < 72; ++hour) times_.runs.push_back(first + hour * 3600);
    times_.leads = {0};
    for (const char* name : random_names) variables_.push_back({.name = name, .units = "1"});
    variables_.push_back({.name = "geopotential",
                          .units = "m2 s-2",
                          .standard_name = "surface_geopotential",
                          .has_time = false});
  }

  const Grid& grid() const override { return grid_; }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  bool exists(const FieldRequest&) const override { return true; }
  std::string fingerprint() const override {
    return "dummy " + std::to_string(key_.seed) + " " + std::to_string(key_.stream);
  }

  void read(const FieldRequest& request, const Region& region, float* out) override {
    const auto found = std::ranges::find(random_names, request.variable);
    const auto number = static_cast<uint64_t>(found - random_names.begin());
    const RandomKey key = key_.child(number).child(static_cast<uint64_t>(request.run));
    for (int64_t row = region.row_begin; row < region.row_end; ++row)
      for (int64_t column = region.column_begin; column < region.column_end; ++column)
        *out++ = found == random_names.end()
                     ? 1.0f
                     : static_cast<float>(std::clamp(
                           key.normal(static_cast<uint64_t>(row * size + column)), -3.0, 3.0));
  }

 private:
  RandomKey key_;
  Grid grid_;
  TimeAxis times_;
  std::vector<VariableInfo> variables_;
};

DatasetSettings completed(DatasetSettings settings) {
  if (settings.variables.empty()) {
    const RandomKey key = RandomKey{settings.seed}.child(1);
    for (size_t i = 0; i < random_names.size(); ++i) {
      DatasetVariable variable{.name = random_names[i],
                               .role = i < states ? Role::state : Role::forcing};
      if (i < states) variable.weight = std::abs(key.normal(i));
      settings.variables.push_back(variable);
    }
  }
  const auto fill = [](DatasetPeriod& period, const char* day) {
    if (period.start.empty() && period.end.empty()) period.start = period.end = day;
  };
  fill(settings.periods.train, "2023-01-01");
  fill(settings.periods.valid, "2023-01-02");
  fill(settings.periods.test, "2023-01-03");
  return settings;
}

Statistics statistics_for(const DatasetSettings& settings) {
  Statistics statistics;
  for (const DatasetVariable& variable : settings.variables)
    statistics.push_back({.name = variable.short_name.empty() ? variable.name : variable.short_name,
                          .mean = 0,
                          .std = 1,
                          .minimum = -3,
                          .maximum = 3,
                          .difference_mean = 0,
                          .difference_std = 1.42});
  return statistics;
}

std::shared_ptr<FieldStore> open_dummy(const DatasetSettings& given, MemoryLedger* ledger,
                                       std::optional<Statistics> statistics) {
  const DatasetSettings settings = completed(given);
  if (!statistics) statistics = statistics_for(settings);
  return std::make_shared<FieldStore>(settings, std::make_unique<DummySource>(settings.seed),
                                      ledger, statistics);
}

}  // namespace

DatasetKind dummy_dataset() {
  return {.name = "dummy",
          .own_periods = true,
          .open = open_dummy,
          .defaults =
              std::make_shared<const Json>(Json{{"border", 10}, {"time_forcings", Json::array()}})};
}

}  // namespace py4cast
