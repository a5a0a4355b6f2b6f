#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// Three spatial axes (missing ones have size and window 1).
struct PoolSizes {
  int64_t batch, in[3], out[3], window[3], stride[3], padding[3], channels;
  // Windows lie side by side: every element of x belongs to one window at most.
  [[gnu::always_inline]] bool tiles() const {
    for (int axis = 0; axis < 3; ++axis)
      if (window[axis] != stride[axis] || padding[axis] != 0) return false;
    return true;
  }
};

// Windows [begin, end) of an axis that contain the place p of x.
template <typename I>
[[gnu::always_inline]] constexpr void windows_of(const PoolSizes& s, int axis, I p, I& begin,
                                                 I& end) {
  const I stride = static_cast<I>(s.stride[axis]), out = static_cast<I>(s.out[axis]);
  const I at = p + static_cast<I>(s.padding[axis]), before = at - static_cast<I>(s.window[axis]);
  begin = before < 0 ? 0 : before / stride + 1;
  end = at / stride + 1;
  if (end > out) end = out;
}

// y = v at the place of the largest x of each window.
template <typename T>
struct MaxPoolGather {
  PoolSizes sizes;
  View<const T> x, v;
  View<T> y;
  PY4CAST_RUN
};
// dx = dy there, 0 elsewhere.
template <typename T>
struct MaxPoolScatter {
  PoolSizes sizes;
  View<const T> x, dy;
  View<T> dx;
  PY4CAST_RUN
};

}  // namespace py4cast
