// py4cast_bench kernels
#include "bench/commands.h"
#include "bench/google_benchmark.h"

namespace py4cast {

Command kernels_command() {
  return {"kernels",
          "",
          0,
          0,
          "Single ops, forward and backward: their rate and the share of the machine's ceiling, of "
          "arithmetic or of memory traffic, measured in the same run.",
          benchmark_options(),
          {},
          [](const Arguments& arguments) {
            return run_benchmarks(arguments, [](Machine& machine) {
              add_convolutions(machine);
              add_ops(machine);
            });
          }};
}

}  // namespace py4cast
