#include "kernels/products/cublaslt_products.h"

#if PY4CAST_CUDA

#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cublaslt_on_cpu.h"
#else
#include <cublasLt.h>
#endif

#include "engine/error.h"

namespace py4cast {
namespace {

constexpr uint64_t cublaslt_workspace = uint64_t{32} << 20;

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(ErrorKind::internal, "cuBLASLt: ", what, ": ", cublasLtGetStatusString(status));
}

cudaDataType_t cublaslt_type(DataType type) {
  return type == DataType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

template <auto destroy>
struct Destroy {
  template <typename T>
  void operator()(T* pointer) const {
    destroy(pointer);
  }
};
using Layout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroy<cublasLtMatrixLayoutDestroy>>;
using Operation = std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroy<cublasLtMatmulDescDestroy>>;
using Preference =
    std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Destroy<cublasLtMatmulPreferenceDestroy>>;

// The library is column-major: a row-major matrix is the transpose of a column-major one of its
// columns x its rows.
Layout layout(DataType type, int64_t rows, int64_t columns) {
  cublasLtMatrixLayout_t made = nullptr;
  check(cublasLtMatrixLayoutCreate(&made, cublaslt_type(type), static_cast<uint64_t>(columns),
                                   static_cast<uint64_t>(rows), columns),
        "a matrix layout");
  return Layout(made);
}

template <typename T>
void set(const Operation& operation, cublasLtMatmulDescAttributes_t attribute, T value) {
  check(cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value, sizeof value),
        "an attribute of a product");
}

template <typename T>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute, T value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value),
        "a preference");
}

// The library's own product is the transpose of ours: d' = op(b)' op(a)'.
Operation operation(const MatrixProduct& p) {
  cublasLtMatmulDesc_t made = nullptr;
  check(cublasLtMatmulDescCreate(&made, p.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                 CUDA_R_32F),
        "a product");
  Operation result(made);
  set(result, CUBLASLT_MATMUL_DESC_TRANSA, int32_t{p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N});
  set(result, CUBLASLT_MATMUL_DESC_TRANSB, int32_t{p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N});
  if (p.bias) {
    set(result, CUBLASLT_MATMUL_DESC_EPILOGUE, uint32_t{CUBLASLT_EPILOGUE_BIAS});
    set(result, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, int32_t{cublaslt_type(p.result)});
    // Heuristics look at the address's alignment alone.
    alignas(16) static const char somewhere = 0;
    set(result, CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const void*>(&somewhere));
  }
  return result;
}

Preference preference() {
  cublasLtMatmulPreference_t made = nullptr;
  check(cublasLtMatmulPreferenceCreate(&made), "a preference");
  Preference result(made);
  set(result, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, cublaslt_workspace);
  set(result, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  for (auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    set(result, attribute, uint32_t{16});
  return result;
}

template <typename T>
T configured(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t name) {
  T value{};
  size_t written = 0;
  check(cublasLtMatmulAlgoConfigGetAttribute(&algorithm, name, &value, sizeof value, &written),
        "the configuration of an algorithm");
  return value;
}

}  // namespace

struct MatrixProducts::Library {
  cublasLtHandle_t handle = nullptr;
  Library() { check(cublasLtCreate(&handle), "the library does not start"); }
  ~Library() { cublasLtDestroy(handle); }
};

struct MatrixProducts::Plan {
  Operation operation;
  Layout a, b, d;
  bool bias;
  cublasLtMatmulHeuristicResult_t chosen{};
  std::string description;
};

std::string MatrixProducts::version() {
  const size_t number = cublasLtGetVersion();
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
         std::to_string(number % 100);
}

MatrixProducts::MatrixProducts() : library_(std::make_unique<Library>()) {}
MatrixProducts::~MatrixProducts() = default;

MatrixProducts::Plan* MatrixProducts::plan(const MatrixProduct& p) {
  auto found = plans_.find(p);
  if (found == plans_.end()) found = plans_.emplace(p, make(p)).first;
  return found->second.get();
}

std::unique_ptr<MatrixProducts::Plan> MatrixProducts::make(const MatrixProduct& p) const {
  auto plan = std::make_unique<Plan>(
      operation(p), p.transpose_a ? layout(p.operands, p.k, p.m) : layout(p.operands, p.m, p.k),
      p.transpose_b ? layout(p.operands, p.n, p.k) : layout(p.operands, p.k, p.n),
      layout(p.result, p.m, p.n), p.bias);
  const Preference wishes = preference();
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      library_->handle, plan->operation.get(), plan->b.get(), plan->a.get(), plan->d.get(),
      plan->d.get(), wishes.get(), 1, &plan->chosen, &found);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status, "heuristics");
  if (status != CUBLAS_STATUS_SUCCESS || found == 0 || plan->chosen.state != CUBLAS_STATUS_SUCCESS)
    return nullptr;
  const cublasLtMatmulAlgo_t& algorithm = plan->chosen.algo;
  const auto number = [](auto value) { return std::to_string(value); };
  plan->description = name(p) + ": cuBLASLt algorithm " +
                      number(configured<int32_t>(algorithm, CUBLASLT_ALGO_CONFIG_ID)) + ", tile " +
                      number(configured<uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_TILE_ID)) + ", " +
                      number(configured<int32_t>(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM)) +
                      " parts, workspace " + number(plan->chosen.workspaceSize) + " bytes";
  return plan;
}

std::string MatrixProducts::name(const MatrixProduct& p) {
  return "product " + std::to_string(p.m) + " x " + std::to_string(p.k) + " x " +
         std::to_string(p.n) + " of " + std::string(p.tf32 ? "tf32" : name_of(p.operands)) +
         (p.transpose_a ? " a^T" : "") + (p.transpose_b ? " b^T" : "") +
         (p.bias ? " with bias" : "") +
         (p.result == p.operands ? "" : " to " + std::string(name_of(p.result)));
}

size_t MatrixProducts::workspace(const Plan& plan) {
  return plan.chosen.workspaceSize;
}

const std::string& MatrixProducts::description(const Plan& plan) {
  return plan.description;
}

void MatrixProducts::run(Plan& plan, const void* a, const void* b, const void* bias, void* d,
                         bool adds, void* workspace, Stream stream) {
  if (plan.bias) set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  const float one = 1, kept = adds ? 1 : 0;
  check(
      cublasLtMatmul(library_->handle, plan.operation.get(), &one, b, plan.b.get(), a, plan.a.get(),
                     &kept, d, plan.d.get(), d, plan.d.get(), &plan.chosen.algo, workspace,
                     plan.chosen.workspaceSize, static_cast<cudaStream_t>(stream.handle)),
      plan.description.c_str());
}

}  // namespace py4cast

#endif
