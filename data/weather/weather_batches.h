// Batches of weather, where the network runs.
#pragma once

#include <memory>

#include "data/samples/device_batches.h"
#include "data/weather/dataset.h"

namespace py4cast {

// f32, standardised; the leading axis is that of the samples.
struct WeatherBatch : Batch {
  WeatherBatch() = default;
  // Of a batch of a Dataset.
  explicit WeatherBatch(const Batch& batch);

  Tensor inputs;   // [count, num_input_steps, rows, columns, input_dim]
  Tensor outputs;  // [count, num_pred_steps, rows, columns, weather_dim]
  Tensor forcing;  // [count, num_pred_steps, rows, columns, forcing_dim]
  // As SampleSlot; undefined unless missing values are masked, the last one also without forcings.
  Tensor input_valid, output_valid, forcing_valid;
};

// On the CPU the loader's threads decode the samples. To a GPU they go as they are stored
// (data/weather/stored_samples.h), and the context's stream decodes them there.
class WeatherBatches {
 public:
  WeatherBatches(const std::shared_ptr<const Dataset>& dataset, const LoaderSettings& settings,
                 const Context& context);

  const Loader& loader() const { return batches_.loader(); }
  void start(int64_t epoch, int64_t first_batch = 0) { batches_.start(epoch, first_batch); }
  const WeatherBatch* next();  // as DeviceBatches::next

 private:
  DeviceBatches batches_;
  WeatherBatch batch_;
};

}  // namespace py4cast
