#include "bench/history.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "bench/checks.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::regex pattern_of(const std::string& filter) {
  try {
    return std::regex(filter);
  } catch (const std::regex_error& error) {
    throw Error(ErrorKind::configuration, "--filter ", filter, ": ", error.what());
  }
}

}  // namespace

void append_history(const std::string& path, const std::vector<BenchmarkReport>& added) {
  std::string all = std::filesystem::exists(path) ? read_file(path) : "";
  if (!all.empty() && !all.ends_with('\n')) all += '\n';
  for (const BenchmarkReport& report : added) {
    OrderedJson line = {{"date", report.date},
                        {"commit", report.commit},
                        {"processor", report.processor},
                        {"device", report.device}};
    for (const auto& [name, result] : report.results)
      line["results"][name] = {{"ms", result.milliseconds}, {"share", result.share}};
    all += line.dump() + "\n";
  }
  write_file(path, all);
}

std::vector<BenchmarkReport> read_history(const std::string& path) {
  std::istringstream lines(read_file(path));
  std::vector<BenchmarkReport> runs;
  size_t number = 0;
  for (std::string text; std::getline(lines, text);) {
    ++number;
    if (text.empty()) continue;
    try {
      const OrderedJson line = OrderedJson::parse(text);
      BenchmarkReport run{.date = line.at("date"),
                          .commit = line.at("commit"),
                          .processor = line.at("processor"),
                          .device = line.at("device")};
      for (const auto& [name, result] : line.at("results").items())
        run.results[name] = {.milliseconds = result.at("ms"), .share = result.at("share")};
      runs.push_back(std::move(run));
    } catch (const nlohmann::json::exception& error) {
      throw Error(ErrorKind::data, path, ", line ", number, ": is no run: ", reason_of(error));
    }
  }
  return runs;
}

LineChart history_chart(const std::vector<BenchmarkReport>& runs, HistoryQuantity quantity,
                        const std::string& filter) {
  const std::regex pattern = pattern_of(filter);
  const bool share = quantity == HistoryQuantity::share;
  std::set<std::string> processors;
  for (const BenchmarkReport& run : runs) processors.insert(run.processor);
  std::map<std::string, ChartLine> lines;
  LineChart chart{.title = share ? "Share of the machine's ceiling" : "Time",
                  .x_axis = "commit",
                  .y_axis = share ? "%" : "ms"};
  for (size_t place = 0; place < runs.size(); ++place) {
    const BenchmarkReport& run = runs[place];
    chart.places.push_back(run.commit.substr(0, 8));
    for (const auto& [name, result] : run.results) {
      if (!std::regex_search(name, pattern) || (share && result.share == 0)) continue;
      const std::string key = processors.size() > 1 ? name + ", " + run.processor : name;
      ChartLine& line = lines[key];
      line.name = key;
      line.x.push_back(static_cast<double>(place));
      line.y.push_back(share ? 100 * result.share : result.milliseconds);
    }
  }
  if (lines.empty())
    throw Error(ErrorKind::configuration, "--filter ", filter, ": no case has such a name");
  for (auto& [key, line] : lines) chart.lines.push_back(std::move(line));
  std::ranges::stable_sort(chart.lines, std::ranges::greater(),
                           [](const ChartLine& line) { return line.y.back(); });
  return chart;
}

}  // namespace py4cast
