// A data source without files.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "data/weather/calendar.h"
#include "data/weather/source.h"

namespace py4cast {

// Fields made from a formula.
class FakeSource : public FieldSource {
 public:
  FakeSource(int64_t rows, int64_t columns, double east, std::vector<Time> runs) {
    grid_.rows = rows;
    grid_.columns = columns;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column) {
        grid_.latitude.push_back(50 - static_cast<double>(row));
        grid_.longitude.push_back(east * static_cast<double>(column) /
                                  static_cast<double>(columns));
      }
    times_.runs = std::move(runs);
    times_.leads = {0};
  }
  VariableInfo& add(const std::string& name, bool has_time = true) {
    VariableInfo& variable = variables_.emplace_back();
    variable.name = name;
    variable.has_time = has_time;
    return variable;
  }
  TimeAxis& change_times() { return times_; }

  const Grid& grid() const override { return grid_; }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  void read(const FieldRequest& request, const Region& region, float* out) override {
    const VariableInfo& info =
        *std::find_if(variables_.begin(), variables_.end(),
                      [&](const VariableInfo& each) { return each.name == request.variable; });
    const auto time = static_cast<float>(request.run + request.lead);
    const auto own = values.find(info.name);
    for (int64_t i = 0; i < region.rows() * region.columns(); ++i) {
      if (own != values.end()) {
        out[i] = own->second(request, i);
        continue;
      }
      out[i] = static_cast<float>(i) +
               (info.has_time ? time + std::sin(time * static_cast<float>(i + 1)) : 0);
      if (info.name == "still") out[i] = static_cast<float>(i);
      if (info.name == "flat") out[i] = 3;
      if (info.name == "empty" || (info.name == "sst" && i % 2)) out[i] = NAN;
    }
  }
  bool exists(const FieldRequest& request) const override { return !lacks || !lacks(request); }
  std::string fingerprint() const override { return "fake"; }

  // Of variables by name, instead of the formula; and what does not exist.
  std::map<std::string, std::function<float(const FieldRequest&, int64_t point)>> values;
  std::function<bool(const FieldRequest&)> lacks;

 private:
  Grid grid_;
  TimeAxis times_;
  std::vector<VariableInfo> variables_;
};

// Times from 2019-03-01 on.
inline std::vector<Time> every(Time step, int64_t count) {
  const Time start = to_time(Calendar::standard, {2019, 3, 1});
  std::vector<Time> times;
  for (int64_t i = 0; i < count; ++i) times.push_back(start + i * step);
  return times;
}

}  // namespace py4cast
