#include <benchmark/benchmark.h>

#include "bench/ceilings.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const py4cast::Ceilings& best = py4cast::ceilings();
  benchmark::AddCustomContext("ceiling_flops", std::to_string(best.flops));
  benchmark::AddCustomContext("ceiling_bytes_per_second", std::to_string(best.bytes));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
