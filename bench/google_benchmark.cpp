#include "bench/google_benchmark.h"

#include <benchmark/benchmark.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"

namespace py4cast {
namespace {

constexpr const char* prefix = "benchmark_";

// A report is written beside its place first, so that one from before survives what goes wrong; a device
// or a pipe takes it itself.
std::string part_of(const std::string& report) {
  std::error_code ignored;
  const bool replaced = !std::filesystem::exists(report, ignored) ||
                        std::filesystem::is_regular_file(report, ignored);
  return replaced ? report + ".part" : report;
}

int64_t grid_side(const Arguments& arguments) {
  const int64_t side = arguments.integer("size", 512);
  if (side < 32 || side % 16)
    throw Error(ErrorKind::configuration, "--size ", side,
                ": a multiple of 16 from 32 on is needed");
  return side;
}

// Those of its flags that were given, to Google Benchmark, which keeps a pointer to the first word.
void initialize(const Arguments& arguments) {
  static std::string program = "py4cast_bench";
  std::vector<std::string> words;
  for (const auto& [name, value] : arguments.options)
    if (name.starts_with(prefix))
      words.push_back("--" + name + (value.empty() ? "" : "=") +
                      (name == "benchmark_out" ? part_of(value) : value));
  std::vector<char*> pointers = {program.data()};
  for (std::string& word : words) pointers.push_back(word.data());
  auto count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (count > 1)
    throw Error(ErrorKind::configuration, "command line: Google Benchmark does not take ",
                pointers[1]);
}

// Those that --ceilings tells.
std::optional<Ceilings> told_ceilings(const Arguments& arguments) {
  if (!arguments.has("ceilings")) return {};
  double flops = 0;
  Ceilings told;
  char comma = 0;
  std::istringstream text(arguments.text("ceilings"));
  if (!(text >> flops >> comma >> told.bytes) || comma != ',' || !(flops > 0) || !(told.bytes > 0))
    throw Error(ErrorKind::configuration, "--ceilings ", text.str(), ": not two positive numbers");
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16})
    told.flops[precision] = flops;
  return told;
}

}  // namespace

std::vector<Option> benchmark_options() {
  return {
      {"device", "DEVICE", "Where to run: cpu (default), cuda, cuda:N."},
      {"size", "N", "Points on a side of the grid, 512; a multiple of 16 from 32 on."},
      {"ceilings", "FLOPS,BYTES",
       "What the machine can do in a second, in any precision, instead of measuring it."},
      {"benchmark_filter", "REGEX", "Run the cases whose names match; a - before it: the others."},
      {"benchmark_list_tests", "", "Print the names of the cases and run none."},
      {"benchmark_out", "FILE", "Write the results to this file, too."},
      {"benchmark_out_format", "FORMAT", "Of that file: json (default), csv, console."},
      {"benchmark_format", "FORMAT", "Of what is printed: console (default), json, csv."},
      {"benchmark_repetitions", "N", "Run each case N times, with mean, median and deviation."},
      {"benchmark_report_aggregates_only", "BOOL", "With repetitions: print only these."},
      {"benchmark_enable_random_interleaving", "BOOL", "With repetitions: in random order."},
      {"benchmark_min_time", "SECONDS", "Least time of a case."}};
}

int run_benchmarks(const Arguments& arguments, const std::function<void(Machine&)>& add) {
  initialize(arguments);
  Machine machine(arguments.text("device", "cpu"), grid_side(arguments), told_ceilings(arguments));
  benchmark::AddCustomContext("device", machine.runtime().description());
  benchmark::AddCustomContext("cuda", cuda_versions());
  const nlohmann::ordered_json environment = environment_report(machine.runtime());
  for (const char* key : {"processor", "commit"})
    if (environment.contains(key) && environment[key].is_string())
      benchmark::AddCustomContext(key, environment[key].get<std::string>());
  for (const auto& [precision, flops] : machine.ceilings().flops)
    benchmark::AddCustomContext("ceiling_flops_" + std::string(name_of(precision)),
                                std::to_string(flops));
  benchmark::AddCustomContext("ceiling_bytes_per_second", std::to_string(machine.ceilings().bytes));
  add(machine);
  const size_t found = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  const std::string report = arguments.text("benchmark_out");
  if (const std::string part = part_of(report); !report.empty() && part != report) {
    if (found > 0)
      std::filesystem::rename(part, report);
    else
      std::filesystem::remove(part);
  }
  if (found == 0)
    throw Error(ErrorKind::configuration, "--benchmark_filter ", arguments.text("benchmark_filter"),
                ": no case has such a name; --benchmark_list_tests prints all");
  return 0;
}

}  // namespace py4cast
