// A batch as it is stored, in one block of memory that goes to a device in one copy.
#pragma once

#include "data/weather/dataset.h"

namespace py4cast {

// The block of up to `samples` samples: the FieldPlanes of their inputs, outputs and forcings, then
// the numbers, sample after sample. Views of a block are of its first `count` samples.
class StoredBatch {
 public:
  StoredBatch(const Dataset& dataset, int64_t samples);

  int64_t words(int64_t count) const;  // of 8 bytes; what the first samples take of the block
  StoredSlot slot(const Tensor& block, int64_t sample) const;  // in host memory
  // i64 [count, steps, channels, plane_words], for kernels/fields/decode_fields.h
  Tensor inputs(const Tensor& block, int64_t count) const;
  Tensor outputs(const Tensor& block, int64_t count) const;
  Tensor forcing(const Tensor& block, int64_t count) const;
  Tensor numbers(const Tensor& block, int64_t count) const;

 private:
  struct Planes {
    int64_t steps = 0, channels = 0, begin = 0;                       // begin: in words
    int64_t words() const { return steps * channels * plane_words; }  // of one sample
    FieldPlane* of(const Tensor& block, int64_t sample) const;
    Tensor view(const Tensor& block, int64_t count) const;
  };
  Planes inputs_, outputs_, forcing_;
  int64_t numbers_ = 0, sample_words_ = 0;
};

}  // namespace py4cast
