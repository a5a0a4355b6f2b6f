// py4cast data speed
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <thread>

#include "engine/error.h"
#include "engine/stopwatch.h"
#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"
#include "train/run_configuration.h"

namespace py4cast {
namespace {

// 1, 2, 4 ... and the configuration's own.
std::vector<int64_t> worker_counts(int64_t own) {
  std::vector<int64_t> counts = {own};
  const auto cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
  for (int64_t count = 1; count <= std::min<int64_t>(cores, 64); count *= 2)
    counts.push_back(count);
  std::ranges::sort(counts);
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

struct Reading {
  int64_t samples = 0;
  double seconds = 0;
};

// Epoch after epoch, to so many batches.
Reading read_batches(const std::shared_ptr<const Dataset>& data, const LoaderSettings& settings,
                     int64_t batches) {
  Loader loader(data, settings);
  Reading reading;
  const Stopwatch time;
  for (int64_t epoch = 0, done = 0; done < batches; ++epoch) {
    loader.start(epoch);
    for (const Batch* batch = nullptr; done < batches && (batch = loader.next()); ++done)
      reading.samples += static_cast<int64_t>(batch->samples.size());
  }
  reading.seconds = time.seconds();
  return reading;
}

int data_speed(const ForecastRegistries& kinds, const Configuration& configuration,
               int64_t batches) {
  if (batches < 1)
    throw Error(ErrorKind::configuration, "command line: '--batches' must be at least 1, not ",
                batches);
  return with_runtime("cpu", [&](Runtime& runtime) {
    Logger log(&std::cerr);
    const Steps steps = make_rule(configuration, kinds).steps;
    const auto store = open_store(forecast_settings(configuration), kinds, runtime.communicator(),
                                  &log, &runtime.ledger());
    const auto data =
        std::make_shared<const Dataset>(store, Split::train, steps.input, steps.prediction_train);
    LoaderSettings settings = loader_settings(configuration, 0, 1);
    double bytes = 0;
    for (const BufferSpec& buffer : data->buffers())
      bytes += static_cast<double>(buffer.shape.numel()) * 4;
    std::printf("%lld training samples of %.1f MB as the network takes them\n",
                static_cast<long long>(data->size()), bytes / 1e6);
    read_batches(data, settings, 1);  // the first fields come from the disk
    std::printf("%8s %10s %12s %10s\n", "workers", "samples", "samples/s", "MB/s");
    for (const int64_t workers : worker_counts(settings.num_workers)) {
      settings.num_workers = workers;
      const Reading reading = read_batches(data, settings, batches);
      const double rate = static_cast<double>(reading.samples) / reading.seconds;
      std::printf("%8lld %10lld %12.1f %10.1f\n", static_cast<long long>(workers),
                  static_cast<long long>(reading.samples), rate, rate * bytes / 1e6);
    }
    return 0;
  });
}

}  // namespace

Command data_speed_command(const Registries& registries, const ForecastRegistries& kinds) {
  return {"data speed",
          "[CONFIG]",
          0,
          1,
          "Measures how many training samples a second the loader reads and prepares, by the "
          "number of its threads.",
          {{"batches", "N", "Batches for each number of threads (default 20)."}},
          [&registries] { return registries.layout(); },
          [&registries, &kinds](const Arguments& arguments) {
            return data_speed(kinds, train_configuration(registries, arguments),
                              arguments.integer("batches", 20));
          }};
}

}  // namespace py4cast
