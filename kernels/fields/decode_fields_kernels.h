#pragma once

#include "kernels/common/view.h"
#include "kernels/fields/field_plane.h"

namespace py4cast {

// One frame, by one thread. Plane c, with its numbers at numbers[c], becomes channel c: values
// [points, channels]; valid likewise and all_valid [points] may be null. all_valid becomes 0 where
// any channel is missing.
template <CpuLevel level>
void decode_frame_kernel(Cpu<level>, View<const FieldPlane> planes, const void* const* numbers,
                         int64_t points, float* values, float* valid, float* all_valid);

// All frames (kernels/fields/decode_fields.h): stored [samples, bytes], planes [samples, frames,
// channels]. valid and all_valid may have no elements.
void decode_fields_kernel(Cuda device, View<const uint8_t> stored, View<const FieldPlane> planes,
                          int64_t samples, int64_t frames, View<float> values, View<float> valid,
                          View<float> all_valid, bool combine);

}  // namespace py4cast
