// For *.simd.cpp and .cu files: the activations of one element and their slopes
// (kernels/ops/activation.h), to be fused into other kernels.
#pragma once

#include "kernels/common/vector_math.h"
#include "kernels/ops/activation_kind.h"

namespace py4cast {
namespace {

template <typename T>
PY4CAST_INLINE T clamped(T x, T low, T high) {
  return x < low ? low : (x > high ? high : x);
}

template <Activation kind, typename T>
PY4CAST_INLINE T activated(T x) {
#define PY4CAST_ENTRY(name, text, saved, operations, f, slope) \
  if constexpr (kind == Activation::name) return f;
  PY4CAST_ACTIVATIONS(PY4CAST_ENTRY)
#undef PY4CAST_ENTRY
}

// The derivative, from the output where that determines it, else from the input.
template <Activation kind, typename T>
PY4CAST_INLINE T slope(T saved) {
  [[maybe_unused]] const T x = saved, y = saved;
#define PY4CAST_ENTRY(name, text, source, operations, f, slope) \
  if constexpr (kind == Activation::name) return slope;
  PY4CAST_ACTIVATIONS(PY4CAST_ENTRY)
#undef PY4CAST_ENTRY
}

// Calls f.template operator()<kind>().
template <typename F>
[[gnu::always_inline]] inline void with_activation(Activation kind, F f) {
#define PY4CAST_ENTRY(name, ...) \
  case Activation::name:         \
    return f.template operator()<Activation::name>();
  switch (kind) { PY4CAST_ACTIVATIONS(PY4CAST_ENTRY) }
#undef PY4CAST_ENTRY
}

}  // namespace
}  // namespace py4cast
