// For *.simd.cpp files: CPU kernels, compiled once for each instruction level
// (cmake/py4cast.cmake).
//
// Such a file includes only this header, its own *_kernels.h, <cstdint> and <omp.h>, keeps its helpers in an
// anonymous namespace and uses no function of the standard library: an inline function compiled
// here with AVX-512 could be taken by the linker for the whole program, which would then die on
// older processors (CI looks for such symbols).
#pragma once

#include "kernels/common/view.h"

#ifndef PY4CAST_LEVEL
#error "only *.simd.cpp files, which are compiled for each level, may include kernels/common/simd.h"
#endif

namespace py4cast {

using Level = Cpu<CpuLevel::PY4CAST_LEVEL>;

#define PY4CAST_INLINE [[gnu::always_inline]] inline

namespace {

// Elements that one thread takes together, of loops over many. What a compiler does with the rest of a loop that no
// vector fills may differ by a rounding; so that it is the rest of all, and not of each thread's part, pieces are multiples
// of every vector.
constexpr int64_t piece_size = 4096;

template <typename T>
PY4CAST_INLINE T smaller(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
PY4CAST_INLINE T larger(T a, T b) {
  return a < b ? b : a;
}
PY4CAST_INLINE float square_root(float x) {
  return __builtin_sqrtf(x);
}
PY4CAST_INLINE double square_root(double x) {
  return __builtin_sqrt(x);
}

}  // namespace
}  // namespace py4cast
