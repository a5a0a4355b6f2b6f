// What py4cast costs: ops, training steps, memory.
#include "bench/commands.h"
#include "bench/synthetic_dataset.h"
#include "engine/runtime.h"
#include "train/forecast/registries.h"
#include "train/programs/built_in.h"

int main(int count, char** words) {
  using namespace py4cast;
  spin_briefly(words);
  const auto registries = built_in_registries([](Registries&, ForecastRegistries& forecast) {
    forecast.datasets.add(synthetic_dataset());
  });
  return run_program("py4cast_bench",
                     {step_command(*registries), kernels_command(), memory_command(),
                      compare_command(), track_command()},
                     count, words);
}
