#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// Rows of `scale.size` features; point of row r: r % border.size. next may be y. Without truth
// (data null) border is not read.
template <typename T>
struct ScaledUpdate {
  View<const T> last, y, scale, shift, truth, border;
  View<T> next;
  PY4CAST_RUN
};

// dlast = (1 - border) dnext, dy = (1 - border) dnext scale, dtruth = border dnext; those with null
// data are left out; border has size 0 without truth.
template <typename T>
struct ScaledUpdateBackward {
  View<const T> dnext, scale, border;
  View<T> dlast, dy, dtruth;
  PY4CAST_RUN
};

}  // namespace py4cast
