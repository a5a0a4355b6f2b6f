#pragma once

#include "kernels/view.h"

namespace py4cast {

// One axis, from `in` to `out` points: place p lies at max(0, scale p + shift) of the source.
struct ResampledAxis {
  int64_t in, out;
  double scale, shift;
  bool nearest;
};

// y [batch, rows.out, columns.out, channels] = base + resampled x; base may be empty, or y.
template <CpuLevel level, typename T>
void upsample_kernel(Cpu<level>, ResampledAxis rows, ResampledAxis columns, int64_t channels,
                     View<const T> x, View<const T> base, View<T> y);
template <typename T>
void upsample_kernel(Cuda, ResampledAxis rows, ResampledAxis columns, int64_t channels,
                     View<const T> x, View<const T> base, View<T> y);

// dx [batch, rows.in, columns.in, channels]; below, of dx's size, receives what each row of points
// gives to the next row.
template <CpuLevel level, typename T>
void upsample_gradient_kernel(Cpu<level>, ResampledAxis rows, ResampledAxis columns,
                              int64_t channels, View<const T> dy, View<T> below, View<T> dx);
template <typename T>
void upsample_gradient_kernel(Cuda, ResampledAxis rows, ResampledAxis columns, int64_t channels,
                              View<const T> dy, View<T> below, View<T> dx);

}  // namespace py4cast
