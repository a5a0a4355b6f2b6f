// For *.simd.cpp and .cu files: the arithmetic of field_plane.h, with the same bits everywhere.
#pragma once

#include "kernels/common/both_devices.h"
#include "kernels/fields/field_plane.h"

namespace py4cast {
namespace {

PY4CAST_INLINE float physical_value(const Packing& packing, double stored) {
  const bool missing = (stored == packing.missing[0]) | (stored == packing.missing[1]) |
                       (stored == packing.missing[2]) | (stored == packing.missing[3]) |
                       (stored < packing.minimum) | (stored > packing.maximum);
  const double value = rounded_product(stored, packing.scale) + packing.offset;
  return static_cast<float>(missing ? __builtin_nan("") : value);
}

// Of a value that is not missing.
PY4CAST_INLINE float standardised(const FieldPlane& plane, float physical) {
  return static_cast<float>((static_cast<double>(physical) - plane.mean) * plane.factor);
}

}  // namespace
}  // namespace py4cast
