#include "data/weather/stored_batch.h"

namespace py4cast {

StoredBatch::StoredBatch(const Dataset& dataset, int64_t samples)
    : sample_words_((dataset.stored_bytes() + 7) / 8) {
  const DatasetInfo& info = dataset.info();
  const auto next = [&](int64_t steps, int64_t channels) {
    const Planes planes{steps, channels, numbers_};
    numbers_ += samples * planes.words();
    return planes;
  };
  inputs_ = next(dataset.num_input_steps(), info.weather_dim());
  outputs_ = next(dataset.num_pred_steps(), info.weather_dim());
  forcing_ = next(dataset.num_pred_steps(), info.forcing_dim());
}

int64_t StoredBatch::words(int64_t count) const {
  return numbers_ + count * sample_words_;
}

FieldPlane* StoredBatch::Planes::of(const Tensor& block, int64_t sample) const {
  return reinterpret_cast<FieldPlane*>(block.data<int64_t>() + begin + sample * words());
}

StoredSlot StoredBatch::slot(const Tensor& block, int64_t sample) const {
  const int64_t first = sample * sample_words_;
  return {.inputs = inputs_.of(block, sample),
          .outputs = outputs_.of(block, sample),
          .forcing = forcing_.of(block, sample),
          .numbers = reinterpret_cast<std::byte*>(block.data<int64_t>() + numbers_ + first),
          .place = first * 8};
}

Tensor StoredBatch::Planes::view(const Tensor& block, int64_t count) const {
  return block.viewed({count, steps, channels, plane_words},
                      {words(), channels * plane_words, plane_words, 1}, begin);
}

Tensor StoredBatch::inputs(const Tensor& block, int64_t count) const {
  return inputs_.view(block, count);
}
Tensor StoredBatch::outputs(const Tensor& block, int64_t count) const {
  return outputs_.view(block, count);
}
Tensor StoredBatch::forcing(const Tensor& block, int64_t count) const {
  return forcing_.view(block, count);
}
Tensor StoredBatch::numbers(const Tensor& block, int64_t count) const {
  return block.viewed({count * sample_words_}, {1}, numbers_);
}

}  // namespace py4cast
