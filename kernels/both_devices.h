// For headers that *.simd.cpp and .cu files share: PY4CAST_INLINE before a function of either.
#pragma once

#ifdef PY4CAST_LEVEL
#include "kernels/simd.h"
#else
#include "kernels/cuda.h"
#define PY4CAST_INLINE __device__ __forceinline__
#endif
