#include "bench/google_benchmark.h"

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "bench/checks.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

constexpr const char* prefix = "benchmark_";

// Of what Google Benchmark would end the program for, with status 0, or take for something else.
void check_values(const Arguments& arguments) {
  for (const auto& [name, value] : arguments.options)
    if (name == "benchmark_format" || name == "benchmark_out_format")
      check_choice(name, value, {"console", "json", "csv"});
    else if (name == "benchmark_report_aggregates_only" ||
             name == "benchmark_enable_random_interleaving")
      check_choice(name, value, {"true", "false", "yes", "no", "on", "off", "1", "0"});
  if (!arguments.has("benchmark_out"))
    refuse_options(arguments, {"benchmark_out_format"}, "goes with --benchmark_out only");
  if (!arguments.has("benchmark_repetitions"))
    refuse_options(arguments,
                   {"benchmark_report_aggregates_only", "benchmark_enable_random_interleaving"},
                   "goes with --benchmark_repetitions only");
  const int64_t repetitions = arguments.integer("benchmark_repetitions", 1);
  if (repetitions < 1 || repetitions > std::numeric_limits<int32_t>::max())
    throw Error(ErrorKind::configuration, "--benchmark_repetitions ", repetitions,
                ": at least 1 is needed, and at most ", std::numeric_limits<int32_t>::max());
  const std::string time = arguments.text("benchmark_min_time", "1");
  double seconds = 0;
  const auto [end, error] = std::from_chars(time.data(), time.data() + time.size(), seconds);
  if (error != std::errc() || end != time.data() + time.size() || !(seconds > 0) ||
      !std::isfinite(seconds))
    throw Error(ErrorKind::configuration, "--benchmark_min_time ", time,
                ": a positive number of seconds is needed");
  const std::string filter = arguments.text("benchmark_filter");
  if (arguments.has("benchmark_filter") && filter.empty())
    throw Error(ErrorKind::configuration,
                "--benchmark_filter: a regular expression is needed, and it is empty");
  try {
    const std::regex compiled(filter.substr(filter.starts_with('-')), std::regex::extended);
  } catch (const std::regex_error&) {
    throw Error(ErrorKind::configuration, "--benchmark_filter ", filter,
                ": is no regular expression");
  }
}

// Those of its flags that were given, to Google Benchmark, which keeps a pointer to the first word.
void initialize(const Arguments& arguments, const std::string& out) {
  static std::string program = "py4cast_bench";
  // The first two whatever its environment variables say.
  std::vector<std::string> words = {"--benchmark_format=console", "--benchmark_out_format=json"};
  for (const auto& [name, value] : arguments.options)
    if (name.starts_with(prefix) && name != "benchmark_out")
      words.push_back("--" + name + (value.empty() ? "" : "=") + value);
  if (!out.empty()) words.push_back("--benchmark_out=" + out);
  std::vector<char*> pointers = {program.data()};
  for (std::string& word : words) pointers.push_back(word.data());
  auto count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (count > 1)
    throw Error(ErrorKind::configuration, "command line: Google Benchmark does not take ",
                pointers[1]);
}

}  // namespace

std::optional<Ceilings> told_ceilings(const Arguments& arguments) {
  if (!arguments.has("ceilings")) return {};
  double flops = 0;
  Ceilings told;
  char comma = 0;
  std::istringstream text(arguments.text("ceilings"));
  if (!(text >> flops >> comma >> told.bytes) || comma != ',' || !(flops > 0) ||
      !(told.bytes > 0) || text >> comma)
    throw Error(ErrorKind::configuration, "--ceilings ", text.str(), ": not two positive numbers");
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16})
    told.flops[precision] = flops;
  return told;
}

std::vector<Option> benchmark_options() {
  return {
      {"device", "DEVICE", "Where to run: cpu (default), cuda, cuda:N."},
      {"size", "N", "Points on a side of the grid, 512; at least 32."},
      {"ceilings", "FLOPS,BYTES",
       "What the machine can do in a second, in any precision, instead of measuring it."},
      {"benchmark_filter", "REGEX", "Run the cases whose names match; a - before it: the others."},
      {"benchmark_list_tests", "", "Print the names of the cases and run none."},
      {"benchmark_out", "FILE", "Write the results to this file, too, at the end."},
      {"benchmark_out_format", "FORMAT", "Of that file: json (default), csv, console."},
      {"benchmark_format", "FORMAT", "Of what is printed: console (default), json, csv."},
      {"benchmark_repetitions", "N", "Run each case N times, with mean, median and deviation."},
      {"benchmark_report_aggregates_only", "BOOL", "With repetitions: print only these."},
      {"benchmark_enable_random_interleaving", "BOOL", "With repetitions: in random order."},
      {"benchmark_min_time", "SECONDS",
       "Least time of a case, where the number of its runs is not given."}};
}

int64_t grid_side(const Arguments& arguments) {
  const int64_t side = arguments.integer("size", 512);
  if (side < 32) throw Error(ErrorKind::configuration, "--size ", side, ": at least 32 are needed");
  return side;
}

int run_benchmarks(const Arguments& arguments, const std::function<void(Machine&)>& add) {
  check_values(arguments);
  const int64_t side = grid_side(arguments);
  const auto told = told_ceilings(arguments);
  const std::string report = arguments.text("benchmark_out");
  const bool writes = arguments.has("benchmark_out") && !arguments.has("benchmark_list_tests");
  if (writes) check_writable(report);
  // Google Benchmark does not see what it cannot write, so it writes to memory.
  const Descriptor memory(writes ? ::memfd_create("report", MFD_CLOEXEC) : -1);
  const std::string written = "/proc/self/fd/" + std::to_string(memory.number());
  initialize(arguments, writes ? written : "");
  Machine machine(arguments.text("device", "cpu"), side, told);
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
  if (found == 0)
    throw Error(ErrorKind::configuration, "--benchmark_filter ", arguments.text("benchmark_filter"),
                ": no case has such a name; --benchmark_list_tests prints all");
  if (writes) write_file(report, read_file(written));
  return 0;
}

}  // namespace py4cast
