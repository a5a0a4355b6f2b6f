#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// One axis, from `in` to `out` points: place p lies at max(0, scale p + shift) of the source.
struct ResampledAxis {
  int64_t in, out;
  double scale, shift;
  bool nearest;
};

// Between which source points a place lies: first, and first + 1 with the weight (0 at the end).
template <typename C>
struct Place {
  int64_t first;
  C weight;
};
template <typename C>
[[gnu::always_inline]] constexpr Place<C> place(const ResampledAxis& axis, int64_t p) {
  const double source = axis.scale * static_cast<double>(p) + axis.shift;
  const double at = source > 0 ? source : 0;
  int64_t first = static_cast<int64_t>(at);
  if (first >= axis.in) first = axis.in - 1;
  const double weight = at - static_cast<double>(first);
  return {first, first + 1 < axis.in && !axis.nearest ? static_cast<C>(weight) : C(0)};
}

// y [batch, rows.out, columns.out, channels] = base + resampled x; base may be empty, or y.
template <typename T>
struct Upsample {
  ResampledAxis rows, columns;
  int64_t channels;
  View<const T> x, base;
  View<T> y;
  PY4CAST_RUN
};

// dx [batch, rows.in, columns.in, channels]. On the CPU `upper` and `below`, of dx's size, receive
// what each row of points gets from the places after it, and what it gives to the next row; upper
// may be dx. Not used on GPUs.
template <typename T>
struct UpsampleGradient {
  ResampledAxis rows, columns;
  int64_t channels;
  View<const T> dy;
  View<Compute<T>> upper, below;
  View<T> dx;
  PY4CAST_RUN
};

}  // namespace py4cast
