// For headers that *.simd.cpp and .cu files share: PY4CAST_INLINE before a function of either.
#pragma once

#ifdef PY4CAST_LEVEL
#include "kernels/common/simd.h"
#else
#include "kernels/common/cuda.h"
#define PY4CAST_INLINE __device__ __forceinline__
#endif
