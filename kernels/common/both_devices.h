// For headers that *.simd.cpp and .cu files share: PY4CAST_INLINE before a function of either, and
// what makes their bits equal.
#pragma once

#ifdef PY4CAST_LEVEL
#include "kernels/common/simd.h"
#else
#include "kernels/common/cuda.h"
#define PY4CAST_INLINE __device__ __forceinline__
#endif

namespace py4cast {
namespace {

#ifndef PY4CAST_LEVEL
template <typename T>
PY4CAST_INLINE T square_root(T x) {
  return sqrt(x);
}
#endif

// Rounded by itself: nvcc would make one multiply-add of it and the sum that follows. Of other
// compilers CMakeLists.txt asks the same, for the files that use it.
PY4CAST_INLINE double rounded_product(double a, double b) {
#ifdef __CUDACC__
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

}  // namespace
}  // namespace py4cast
