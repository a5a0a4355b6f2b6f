#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// Rows of `scale.size` features; point of row r: r % border.size. next may be y. Without truth
// (data null) border is not read.
template <CpuLevel level, typename T>
void scaled_update_kernel(Cpu<level>, View<const T> last, View<const T> y, View<const T> scale,
                          View<const T> shift, View<const T> truth, View<const T> border,
                          View<T> next);
template <typename T>
void scaled_update_kernel(Cuda device, View<const T> last, View<const T> y, View<const T> scale,
                          View<const T> shift, View<const T> truth, View<const T> border,
                          View<T> next);

// dlast = (1 - border) dnext, dy = (1 - border) dnext scale, dtruth = border dnext; those with null
// data are left out; border has size 0 without truth.
template <CpuLevel level, typename T>
void scaled_update_backward_kernel(Cpu<level>, View<const T> dnext, View<const T> scale,
                                   View<const T> border, View<T> dlast, View<T> dy, View<T> dtruth);
template <typename T>
void scaled_update_backward_kernel(Cuda device, View<const T> dnext, View<const T> scale,
                                   View<const T> border, View<T> dlast, View<T> dy, View<T> dtruth);

}  // namespace py4cast
