// Fields as they are stored become what networks read: unpacked, standardised, channels last.
#pragma once

#include <span>

#include "engine/context.h"
#include "kernels/fields/field_plane.h"

namespace py4cast {

struct DecodedFields {
  Tensor values;     // f32 [samples, frames, points..., channels]
  Tensor valid;      // as values: 0 where missing, else 1; may be undefined
  Tensor all_valid;  // f32 [samples, frames, points..., 1]: 0 where any channel is missing, else 1;
                     // may be undefined
};

// values[s, f, p, c] = decoded number p of plane (s, f, c), or that plane's `missing` where it is
// missing. The same bits on every device and at every instruction level.
// stored [samples, ...] of any type; planes [samples, frames, channels, plane_words] i64: FieldPlanes,
// their `place` in stored[s]. The results are written where they are; nothing is allocated. Not
// differentiable. 4 operations for each value. Error(shape): shapes that do not fit.
void decode_fields(const Context& context, const Tensor& stored, const Tensor& planes,
                   const DecodedFields& to);

// One frame in host memory, on this thread alone: for many threads side by side. The numbers of
// plane c lie at numbers[c] (not used of a plane that is constant). valid and all_valid may be
// null.
void decode_frame(CpuLevel level, std::span<const FieldPlane> planes,
                  std::span<const void* const> numbers, int64_t points, float* values,
                  float* valid = nullptr, float* all_valid = nullptr);

// The physical values of one field, NaN where missing.
void unpack(CpuLevel level, const Packing& packing, const void* numbers, int64_t points,
            float* values);
int64_t count_missing(CpuLevel level, const Packing& packing, const void* numbers, int64_t points);

}  // namespace py4cast
