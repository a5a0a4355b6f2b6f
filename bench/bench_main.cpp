#include <benchmark/benchmark.h>

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bench/machine.h"
#include "engine/error.h"

namespace py4cast {
namespace {

constexpr const char* own_flags =
    "py4cast_bench [--device=cpu|cuda|cuda:N]  where to run; the CPU unless said otherwise\n"
    "              [--size=N]                  points on a side of the grid, 512; a multiple of "
    "16\n"
    "and Google Benchmark's flags:\n\n";

void help() {
  std::printf("%s", own_flags);
  benchmark::PrintDefaultHelp();
}

// Takes --name=value out of the arguments.
std::string take(int& argc, char** argv, std::string_view name, const std::string& fallback) {
  std::string value = fallback;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with(name) && word.substr(name.size()).starts_with('='))
      value = word.substr(name.size() + 1);
    else
      argv[kept++] = argv[i];
  }
  argc = kept;
  return value;
}

int64_t grid_side(const std::string& text) {
  int64_t side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  if (error != std::errc() || end != text.data() + text.size() || side < 32 || side % 16)
    throw Error(ErrorKind::configuration, "--size=", text,
                ": a multiple of 16 from 32 on is needed");
  return side;
}

int run(int argc, char** argv) {
  const std::string device = take(argc, argv, "--device", "cpu"),
                    size = take(argc, argv, "--size", "512");
  benchmark::Initialize(&argc, argv, help);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  Machine machine(device, grid_side(size));
  benchmark::AddCustomContext("device", machine.runtime().description());
  benchmark::AddCustomContext("cuda", cuda_versions());
  const nlohmann::ordered_json environment = environment_report(machine.runtime());
  if (environment.contains("commit"))
    benchmark::AddCustomContext("commit", environment["commit"].get<std::string>());
  for (const auto& [precision, flops] : machine.ceilings().flops)
    benchmark::AddCustomContext("ceiling_flops_" + std::string(name_of(precision)),
                                std::to_string(flops));
  benchmark::AddCustomContext("ceiling_bytes_per_second", std::to_string(machine.ceilings().bytes));
  add_convolutions(machine);
  add_ops(machine);
  add_steps(machine);
  const size_t found = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return found > 0 ? 0 : static_cast<int>(ErrorKind::configuration);  // the filter names none
}

}  // namespace
}  // namespace py4cast

int main(int argc, char** argv) {
  try {
    return py4cast::run(argc, argv);
  } catch (const py4cast::Error& error) {
    std::fprintf(stderr, "py4cast_bench: %s\n", error.what());
    return error.exit_code();
  }
}
