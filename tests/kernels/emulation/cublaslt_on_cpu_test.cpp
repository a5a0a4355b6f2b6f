// The stand-in of cuBLASLt refuses what cuBLASLt refuses.
#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cublaslt_on_cpu.h"

#include <gtest/gtest.h>

#include "engine/cuda.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

// D [4, 5] = A [4, depth] B [depth, 5], column-major, all in one block of device memory.
class CublasLtOnCpu : public ::testing::Test {
 protected:
  CublasLtOnCpu() { cublasLtCreate(&handle_); }
  ~CublasLtOnCpu() override {
    cublasLtMatmulDescDestroy(desc_);
    for (cublasLtMatrixLayout_t layout : {a_, b_, d_}) cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulPreferenceDestroy(preference_);
    cublasLtDestroy(handle_);
  }

  void make(uint64_t depth, cudaDataType_t operands = CUDA_R_32F, uint64_t depth_of_b = 0,
            cublasComputeType_t compute = CUBLAS_COMPUTE_32F) {
    cublasLtMatmulDescCreate(&desc_, compute, CUDA_R_32F);
    cublasLtMatrixLayoutCreate(&a_, operands, 4, depth, 4);
    depth_of_b = depth_of_b ? depth_of_b : depth;
    cublasLtMatrixLayoutCreate(&b_, operands, depth_of_b, 5, static_cast<int64_t>(depth_of_b));
    cublasLtMatrixLayoutCreate(&d_, CUDA_R_32F, 4, 5, 4);
    cublasLtMatmulPreferenceCreate(&preference_);
    const uint64_t workspace = 1 << 20;
    cublasLtMatmulPreferenceSetAttribute(preference_, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                         &workspace, sizeof workspace);
    depth_ = depth;
  }
  cublasStatus_t find() {
    int found = 0;
    return cublasLtMatmulAlgoGetHeuristic(handle_, desc_, a_, b_, d_, d_, preference_, 1, &chosen_,
                                          &found);
  }
  cublasStatus_t multiply(size_t shift, void* workspace, size_t bytes) {
    const float one = 1, zero = 0;
    std::byte* base = memory_->data();
    std::byte* d = base + 65536;
    return cublasLtMatmul(handle_, desc_, &one, base + shift, a_, base + 32768, b_, &zero, d, d_, d,
                          d_, &chosen_.algo, workspace, bytes, nullptr);
  }

  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulDesc_t desc_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, d_ = nullptr;
  cublasLtMatmulPreference_t preference_ = nullptr;
  cublasLtMatmulHeuristicResult_t chosen_{};
  uint64_t depth_ = 0;
  std::shared_ptr<Storage> memory_ =
      allocate_device(1 << 17, test_device(), nullptr, Owner::other, "test");
};

TEST_F(CublasLtOnCpu, RefusesSizesThatDoNotFit) {
  make(8, CUDA_R_32F, 7);
  EXPECT_EQ(find(), CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLtOnCpu, RefusesTypesItDoesNotMultiply) {
  make(8, CUDA_R_16BF, 0, CUBLAS_COMPUTE_32F_FAST_TF32);
  EXPECT_EQ(find(), CUBLAS_STATUS_NOT_SUPPORTED);
}

TEST_F(CublasLtOnCpu, RefusesAttributesOfWrongSize) {
  make(8);
  const int64_t wide = CUBLAS_OP_T;
  EXPECT_EQ(cublasLtMatmulDescSetAttribute(desc_, CUBLASLT_MATMUL_DESC_TRANSA, &wide, sizeof wide),
            CUBLAS_STATUS_INVALID_VALUE);
  const uint32_t narrow = 1;
  EXPECT_EQ(cublasLtMatmulPreferenceSetAttribute(
                preference_, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &narrow, sizeof narrow),
            CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLtOnCpu, RefusesABiasOfAnotherType) {
  make(8);
  const uint32_t epilogue = CUBLASLT_EPILOGUE_BIAS;
  cublasLtMatmulDescSetAttribute(desc_, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
  EXPECT_EQ(find(), CUBLAS_STATUS_NOT_SUPPORTED);  // no address
  const void* address = memory_->data();
  cublasLtMatmulDescSetAttribute(desc_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &address,
                                 sizeof address);
  EXPECT_EQ(find(), CUBLAS_STATUS_SUCCESS);
  const int32_t type = CUDA_R_16BF;
  cublasLtMatmulDescSetAttribute(desc_, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &type, sizeof type);
  EXPECT_EQ(find(), CUBLAS_STATUS_NOT_SUPPORTED);
}

TEST_F(CublasLtOnCpu, RefusesWrongAddressesAndAlgorithms) {
  make(100);
  ASSERT_EQ(find(), CUBLAS_STATUS_SUCCESS);
  const size_t needed = chosen_.workspaceSize;
  ASSERT_GT(needed, 0u);  // a long sum, in parts
  std::byte* work = memory_->data() + 98304;
  float host[4];
  EXPECT_EQ(multiply(4, work, needed), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(multiply(0, work, needed - 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(multiply(0, work + 16, needed), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(multiply(0, host, needed), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(multiply(0, work, needed), CUBLAS_STATUS_SUCCESS);
  synchronize(test_device());
  cublasLtMatmulDescDestroy(desc_);
  for (cublasLtMatrixLayout_t layout : {a_, b_, d_}) cublasLtMatrixLayoutDestroy(layout);
  cublasLtMatmulPreferenceDestroy(preference_);
  make(101);
  EXPECT_EQ(multiply(0, work, needed), CUBLAS_STATUS_INVALID_VALUE);  // made for another product
}

}  // namespace
}  // namespace py4cast::testing
#endif
