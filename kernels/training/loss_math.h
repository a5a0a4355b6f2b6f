// For *.simd.cpp and .cu files: the error of one difference and its slope (kernels/training/loss.h).
#pragma once

#include "kernels/common/both_devices.h"

namespace py4cast {
namespace {

template <bool squared, typename T>
PY4CAST_INLINE T error(T d) {
  return squared ? d * d : (d < 0 ? -d : d);
}

template <bool squared, typename T>
PY4CAST_INLINE T slope(T d) {
  return squared ? 2 * d : static_cast<T>((d > 0) - (d < 0));
}

}  // namespace
}  // namespace py4cast
