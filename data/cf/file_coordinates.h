// The numbers and times of one file's coordinates.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/cf/axis_role.h"
#include "data/cf/cf_files.h"
#include "data/weather/source.h"

namespace py4cast {

// All errors are Error(data); they name file and variable.
class FileCoordinates {
 public:
  FileCoordinates(CfFiles& files, const CfMetadata& metadata);

  // In which a coordinate counts: its own. Error: an unknown one.
  Calendar calendar_of(const CfVariable& v) const;
  // The variable that has the numbers of a dimension: bearing its name, or else an axis of that role by
  // its attributes; null: none.
  const CfVariable* along(const std::string& dimension, AxisRole role) const;
  // Likewise its times, which may be texts (WRF's Times). Error: none.
  const CfVariable& times_along(const std::string& dimension) const;
  // The texts of the variable that bears its name; none: it has no such one.
  std::vector<std::string> texts_along(const std::string& dimension) const;
  // What a dimension is by the attributes of the variables along it; nothing if they do not tell.
  std::optional<AxisRole> role_along(const std::string& dimension) const;
  // The numbers of a coordinate, or of a dimension without one (null): 0, 1, 2, ... Error: a value that
  // is missing or stands there twice; more than most_numbers.
  std::vector<double> distinct(const CfVariable* v, const std::string& dimension,
                               size_t length) const;
  // In seconds. Error: no units of time, a value that is missing or beyond 300 000 years; not rising.
  std::vector<Time> times(const CfVariable& v) const;
  std::vector<Time> durations(const CfVariable& v) const;
  // Times of a calendar; durations without one.
  void check_rising(const std::string& name, const std::vector<Time>& values,
                    std::optional<Calendar> calendar) const;

  static constexpr size_t most_numbers = 10000;

 private:
  template <typename Condition>
  const CfVariable* find(const std::string& dimension, Condition condition) const;
  [[noreturn]] void fail(const std::string& what) const;
  template <typename F>
  auto of_time(const CfVariable& v, F&& f) const;
  const std::vector<double>& values(const CfVariable& v) const;
  std::vector<Time> times_of_texts(const CfVariable& v) const;
  template <typename Function>
  std::vector<Time> convert(const CfVariable& v, Function function) const;

  CfFiles& files_;
  const CfMetadata& metadata_;
  mutable std::map<std::string, std::vector<double>>
      values_;  // read so far; many variables share it
};

}  // namespace py4cast
