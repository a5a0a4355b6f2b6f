// A FieldSource in memory, for tests.
#pragma once

#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <tuple>

#include "data/weather/dataset_settings.h"
#include "data/weather/source.h"
#include "engine/error.h"

namespace py4cast {

// Fields are values of a function of the request and the point. Hourly from 2020-02-28 00:00 on.
class FakeSource : public FieldSource {
 public:
  using Value = std::function<float(const FieldRequest&, int64_t row, int64_t column)>;

  FakeSource(int64_t rows, int64_t columns, int64_t hours) {
    grid_.rows = rows;
    grid_.columns = columns;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column) {
        grid_.latitude.push_back(50 - 0.5 * static_cast<double>(row));
        grid_.longitude.push_back(10 + 0.25 * static_cast<double>(column));
      }
    grid_.x = grid_.longitude;
    grid_.y = grid_.latitude;
    times_.leads = {0};
    for (int64_t hour = 0; hour < hours; ++hour) times_.runs.push_back(first_time + hour * 3600);
  }

  static constexpr Time first_time = 1582848000;  // 2020-02-28 00:00

  const Grid& grid() const override { return grid_; }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  std::string fingerprint() const override { return fingerprint_; }
  std::string file_of(const FieldRequest&) const override { return "fake.nc"; }
  bool exists(const FieldRequest& request) const override {
    return !gaps_.contains({request.run, request.lead, request.member});
  }
  void read(const FieldRequest& request, const Region& region, float* out) override {
    ++*reads_;
    if (!exists(request)) throw Error(ErrorKind::internal, "read of a field that does not exist");
    for (int64_t row = region.row_begin; row < region.row_end; ++row)
      for (int64_t column = region.column_begin; column < region.column_end; ++column)
        *out++ = value_(request, row, column);
  }

  void add(const std::string& name, const std::vector<double>& levels = {}, bool has_time = true) {
    variables_.push_back({.name = name,
                          .units = "K",
                          .level_name = levels.empty() ? "" : "level",
                          .levels = levels,
                          .level_units = levels.empty() ? "" : "hPa",
                          .has_time = has_time});
  }

  Grid grid_;
  TimeAxis times_;
  std::vector<VariableInfo> variables_;
  std::set<std::tuple<int64_t, int64_t, int64_t>> gaps_;  // run, lead, member
  std::string fingerprint_ = "fake";
  std::shared_ptr<std::atomic<int64_t>> reads_ = std::make_shared<std::atomic<int64_t>>(0);
  // Any function that varies with everything.
  Value value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
    const auto number = [](int64_t i) { return static_cast<double>(i); };
    return static_cast<float>(280 + 3 * std::sin(number(request.run + request.lead) * 0.7) +
                              2 * std::cos(number(row) * 0.9 + number(request.level)) +
                              std::sin(number(column) * 1.3 + number(request.run)) +
                              0.1 * number(request.member) +
                              static_cast<double>(request.variable.size()));
  };
};

// Three days of one variable.
inline std::unique_ptr<FakeSource> three_days(int64_t rows = 5, int64_t columns = 7) {
  auto source = std::make_unique<FakeSource>(rows, columns, 72);
  source->add("t");
  return source;
}

// A value that says where it comes from: a number of time, row and column. Every fifth time is set
// apart, since a change that is the same at all times has no deviation.
inline float coded_time(int64_t time) {
  return static_cast<float>(1000 * time + (time % 5 == 3 ? 500 : 0));
}
inline float coded(const FieldRequest& request, int64_t row, int64_t column) {
  return coded_time(request.run + request.lead) + static_cast<float>(10 * row + column);
}

inline DatasetSettings fake_settings() {
  DatasetSettings settings;
  settings.name = "fake";
  settings.variables = {{.name = "t", .levels = {}, .weight = {}, .short_name = {}}};
  settings.periods.train = {.start = "2020-02-28", .end = "2020-02-28"};
  settings.periods.valid = {.start = "2020-02-29", .end = "2020-02-29"};
  settings.periods.test = {.start = "2020-03-01", .end = "2020-03-01"};
  settings.time_forcings = {};
  return settings;
}

}  // namespace py4cast
