#pragma once

#include "kernels/common/view.h"
#include "kernels/fields/field_plane.h"

namespace py4cast {

// One frame, by one thread, on CPUs. Plane c, with its numbers at numbers[c], becomes channel c:
// values [points, channels]; valid likewise and all_valid [points] may be null. all_valid is 0 where any
// channel is missing, else 1.
struct DecodeFrame {
  View<const FieldPlane> planes;
  const void* const* numbers;
  int64_t points;
  float *values, *valid, *all_valid;
  PY4CAST_RUN
};

// All frames (kernels/fields/decode_fields.h), on GPUs: stored [samples, bytes], planes [samples,
// frames, channels]. valid and all_valid may have no elements.
struct DecodeFields {
  View<const uint8_t> stored;
  View<const FieldPlane> planes;
  int64_t samples, frames;
  View<float> values, valid, all_valid;
  PY4CAST_RUN
};

}  // namespace py4cast
