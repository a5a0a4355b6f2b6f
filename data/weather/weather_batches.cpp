#include "data/weather/weather_batches.h"

#include "data/weather/stored_samples.h"

namespace py4cast {
namespace {

std::shared_ptr<const Samples> samples_for(Device device, std::shared_ptr<const Dataset> dataset) {
  if (device.kind == DeviceKind::cpu) return dataset;
  return std::make_shared<StoredSamples>(std::move(dataset));
}

DeviceBatches::Decode decoder_for(const Dataset& dataset, int64_t samples, const Context& context) {
  if (context.device.kind == DeviceKind::cpu) return {};
  return StoredDecoder(dataset, samples, context);
}

}  // namespace

WeatherBatch::WeatherBatch(const Batch& batch) : Batch(batch) {
  inputs = tensor_of(tensors, "inputs");
  outputs = tensor_of(tensors, "outputs");
  forcing = tensor_of(tensors, "forcing");
  const auto if_there = [&](const char* name) {
    const auto entry = tensors.find(name);
    return entry == tensors.end() ? Tensor() : entry->second;
  };
  input_valid = if_there("input_valid");
  output_valid = if_there("output_valid");
  forcing_valid = if_there("forcing_valid");
}

WeatherBatches::WeatherBatches(const std::shared_ptr<const Dataset>& dataset,
                               const LoaderSettings& settings, const Context& context)
    : batches_(samples_for(context.device, dataset), settings, context,
               decoder_for(*dataset, settings.batch_size, context)) {}

const WeatherBatch* WeatherBatches::next() {
  const Batch* batch = batches_.next();
  if (!batch) return nullptr;
  batch_ = WeatherBatch(*batch);
  return &batch_;
}

}  // namespace py4cast
