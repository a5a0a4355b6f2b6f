// The real cuDNN makes plans for the convolutions of HalfUNet on an H100, whether there is one or
// not: descriptors, patterns of graphs and the choice of engines are those that a GPU will meet.
#if PY4CAST_CUDNN && !PY4CAST_CUDA_EMULATED
#include <gtest/gtest.h>

#include "kernels/products/cudnn_convolutions.h"

namespace py4cast::testing {
namespace {

const char* const h100 = R"({"deviceName": "NVIDIA H100", "cudaDeviceId": 0, "deviceVer": 900,
  "driverVer": 13000, "totalGlobalMem": 85028765696, "multiProcessorCount": 132, "warpSize": 32,
  "regsPerBlock": 65536, "maxRegistersPerSM": 65536, "maxSharedMemoryPerBlock": 49152,
  "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024, "maxCtasPerSM": 32,
  "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "maxGridSize": [2147483647, 65535, 65535],
  "maxBlockSize": [1024, 1024, 64], "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1,
  "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "l2CacheSize": 52428800})";

ConvolutionProblem square(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1,
                          int64_t groups = 1) {
  const int64_t padding = kernel / 2, height = (512 - 1) / stride + 1,
                width = (640 - 1) / stride + 1;
  return {1,
          {1, 512, 640},
          {1, height, width},
          {1, kernel, kernel},
          {1, stride, stride},
          {0, padding, padding},
          {1, 1, 1},
          groups,
          in,
          out};
}

// Engines that are compiled when a program runs need a driver; the others must be there without
// one.
TEST(CudnnPlans, ExistForEveryConvolution) {
  LibraryConvolutions library(h100);
  for (const ConvolutionProblem& problem : {square(67, 64, 3), square(64, 64, 3), square(64, 21, 1),
                                            square(32, 32, 3, 2), square(32, 32, 3, 1, 2)})
    for (const auto& [pixels, tf32] :
         {std::pair{DataType::f32, false}, std::pair{DataType::f32, true},
          std::pair{DataType::bf16, false}})
      for (auto kind : {ConvolutionKind::forward, ConvolutionKind::data_gradient,
                        ConvolutionKind::weight_gradient})
        for (bool bias : {false, true}) {
          const LibraryConvolution wanted{kind, problem, pixels, bias, tf32};
          const bool needs_driver =
              pixels == DataType::bf16 && (bias || kind == ConvolutionKind::weight_gradient);
          if ((bias && kind != ConvolutionKind::forward) || needs_driver) continue;
          EXPECT_NE(library.plan(wanted), nullptr) << LibraryConvolutions::name(wanted);
        }
}

}  // namespace
}  // namespace py4cast::testing
#endif
