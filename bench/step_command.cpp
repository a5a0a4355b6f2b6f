// py4cast_bench step
#include "bench/checks.h"
#include "bench/commands.h"
#include "bench/google_benchmark.h"
#include "bench/step_tables.h"
#include "bench/step_work.h"
#include "engine/error.h"

namespace py4cast {
namespace {

// With --tables, with --work and without both, other options count.
void check_modes(const Arguments& arguments) {
  const bool tables = arguments.has("tables"), work = arguments.has("work");
  if (!tables) refuse_options(arguments, {"batches", "full", "sweep"}, "goes with --tables only");
  if (!tables && !work)
    refuse_options(arguments, {"networks", "precision"}, "goes with --tables or --work");
  const std::string mode = tables ? "does not go with --tables" : "does not go with --work";
  if (tables) refuse_options(arguments, {"work", "ceilings"}, mode);
  if (tables || work)
    for (const auto& [name, value] : arguments.options)
      if (name.starts_with("benchmark_") || name == "steps")
        refuse_options(arguments, {name}, mode);
  if (arguments.has("full"))
    refuse_options(arguments, {"batches"}, "does not go with --full, which takes 200");
}

}  // namespace

Command step_command(const Registries& registries) {
  std::vector<Option> options = {
      {"tables", "",
       "Instead: train on fields in memory, with the loader, and print the tables of the "
       "original's "
       "documentation beside its figures. Under mpirun those of that number of ranks."},
      {"work", "N",
       "Instead: print what modules and ops of a step of N forecasts count, and the least time it "
       "takes at the ceilings; the step is not computed."},
      {"networks", "NAMES",
       "With --tables or --work: hilam (default), or others of the cases' names, comma separated."},
      {"precision", "NAME", "With --tables or --work: fp32 (default), tf32, bf16."},
      {"batches", "N", "With --tables: optimiser steps to measure, at least 4; 12, on a GPU 100."},
      {"full", "", "With --tables: measure all 200 batches; otherwise they are extrapolated."},
      {"sweep", "", "With --tables: also over workers and prefetched batches."}};
  for (const Option& option : benchmark_options()) options.push_back(option);
  options.push_back(
      {"steps", "N", "Steps of each case on a CPU: 5; on a GPU the least time counts."});
  return {"step",
          "",
          0,
          0,
          "Whole training steps of the networks: forward, weighted loss, backward, AdamW, on data "
          "that lie on the device (step/NETWORK/SIDE/PRECISION/FORECASTS), each with what it would "
          "take at the machine's ceilings.",
          options,
          {},
          [&registries](const Arguments& arguments) {
            check_modes(arguments);
            if (arguments.has("tables")) return print_step_tables(registries, arguments);
            if (arguments.has("work")) return print_step_work(arguments);
            const int64_t steps = arguments.integer("steps", 5);
            if (steps < 1)
              throw Error(ErrorKind::configuration, "--steps ", steps, ": at least 1 is needed");
            return run_benchmarks(arguments, [&](Machine& machine) { add_steps(machine, steps); });
          }};
}

}  // namespace py4cast
