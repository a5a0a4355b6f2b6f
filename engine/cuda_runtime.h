// The CUDA runtime API: NVIDIA's, or the part of it that runs without a GPU.
#pragma once

#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/cuda_emulation.h"
#elif PY4CAST_CUDA
#include <cuda_profiler_api.h>
#include <cuda_runtime.h>
#else
#error "this file is for builds with PY4CAST_CUDA=ON or EMULATED"
#endif
