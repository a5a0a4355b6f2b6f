// The samples of a data set as they are stored, to be decoded where the network runs.
#pragma once

#include <memory>

#include "data/samples/loader.h"
#include "data/weather/dataset.h"
#include "engine/context.h"

namespace py4cast {

// Buffers: the FieldPlanes of "inputs", "forcing" and "outputs", i64 [steps, channels,
// plane_words], and their "numbers", i64 [words].
class StoredSamples : public Samples {
 public:
  explicit StoredSamples(std::shared_ptr<const Dataset> dataset) : dataset_(std::move(dataset)) {}

  int64_t size() const override { return dataset_->size(); }
  std::vector<BufferSpec> buffers() const override;
  void load(int64_t index, std::span<std::byte* const> buffers) const override;
  void expect_threads(int64_t threads) const override { dataset_->expect_threads(threads); }
  std::string describe(int64_t index) const override { return dataset_->describe(index); }

 private:
  std::shared_ptr<const Dataset> dataset_;
};

// Puts what the data set's own batches have (Dataset::buffers) in the place of a batch of its
// StoredSamples: the same bits (kernels/fields/decode_fields.h), in memory of its own.
class StoredDecoder {
 public:
  // For batches of up to `samples` samples, on the context's device and stream.
  StoredDecoder(const Dataset& dataset, int64_t samples, const Context& context);
  void operator()(Batch& batch) const;

 private:
  Context context_;
  TensorMap decoded_;
};

}  // namespace py4cast
