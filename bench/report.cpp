#include "bench/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

#include "bench/checks.h"
#include "engine/error.h"
#include "engine/files.h"
#include "engine/settings/json.h"

namespace py4cast {
namespace {

double milliseconds_per(const std::string& unit, const std::string& path) {
  for (const auto& [name, factor] :
       {std::pair("ns", 1e-6), std::pair("us", 1e-3), std::pair("ms", 1.0), std::pair("s", 1e3)})
    if (unit == name) return factor;
  throw Error(ErrorKind::data, path, ": '", unit, "' is no unit of time");
}

}  // namespace

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

BenchmarkReport read_report(const std::string& path) {
  // Google Benchmark writes 0 / 0 as a word that JSON has not.
  static const std::regex no_number(R"((": -?)(NaN|Infinity|nan|inf)\b)");
  const Json all =
      parse_json(std::regex_replace(read_file(path), no_number, "\": null"), path, ErrorKind::data);
  BenchmarkReport report;
  try {
    const Json& context = all.at("context");
    report.date = context.value("date", "unknown");
    report.commit = context.value("commit", "unknown");
    report.processor = context.value("processor", "unknown");
    report.device = context.value("device", "unknown");
    std::map<std::string, std::vector<double>> times, shares;
    for (const Json& entry : all.at("benchmarks")) {
      const std::string kind = entry.value("run_type", "iteration");
      if (kind != "iteration" || entry.value("error_occurred", false)) continue;
      const std::string name = entry.value("run_name", entry.at("name").get<std::string>());
      times[name].push_back(entry.at("real_time").get<double>() *
                            milliseconds_per(entry.at("time_unit"), path));
      shares[name].push_back(entry.value("share", 0.0));
    }
    for (const auto& [name, all_times] : times)
      report.results[name] = {median(all_times), median(shares.at(name))};
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::data, path, ": is no report of py4cast_bench: ", reason_of(error));
  }
  if (report.results.empty()) throw Error(ErrorKind::data, path, ": has no result of a benchmark");
  return report;
}

}  // namespace py4cast
