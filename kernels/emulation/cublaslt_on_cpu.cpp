#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cublaslt_on_cpu.h"

#include <cstring>
#include <type_traits>

#include "kernels/emulation/library_on_cpu.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/products/linear.h"

using namespace py4cast::library_on_cpu;
using py4cast::Context;
using py4cast::DataType;
using py4cast::Tensor;

struct cublasLtContext {};

namespace {

// What the opaque structures hold.
struct Layout {
  int32_t type;
  uint64_t rows, columns;
  int64_t leading;
};
struct Operation {
  int32_t compute, scale, transpose_a, transpose_b, bias_type;
  uint32_t epilogue;
  const void* bias;
};
struct Preference {
  uint64_t workspace;
  uint32_t reduction, alignment[4];  // of A, B, C, D
};
// An algorithm is made for one product and good for no other.
struct Algorithm {
  uint32_t m, n, k, alignment[4];
  int32_t transposes;
  int32_t parts;
  uint64_t workspace;
};

template <typename Value, typename Opaque>
Value get(const Opaque* opaque) {
  static_assert(sizeof(Value) <= sizeof(Opaque) && std::is_trivially_copyable_v<Value>);
  Value value;
  std::memcpy(&value, opaque->data, sizeof value);
  return value;
}
template <typename Value, typename Opaque>
void put(Opaque* opaque, const Value& value) {
  static_assert(sizeof(Value) <= sizeof(Opaque) && std::is_trivially_copyable_v<Value>);
  std::memcpy(opaque->data, &value, sizeof value);
}
template <typename Opaque, typename Value>
cublasStatus_t create(Opaque** result, const Value& value) {
  if (!result) return CUBLAS_STATUS_INVALID_VALUE;
  *result = new Opaque{};
  put(*result, value);
  return CUBLAS_STATUS_SUCCESS;
}
// Lets f set a member of what the structure holds.
template <typename Value, typename Opaque, typename F>
cublasStatus_t change(Opaque* opaque, F&& f) {
  if (!opaque) return CUBLAS_STATUS_INVALID_VALUE;
  auto value = get<Value>(opaque);
  const cublasStatus_t status = f(value);
  if (status == CUBLAS_STATUS_SUCCESS) put(opaque, value);
  return status;
}
template <typename Opaque>
cublasStatus_t destroy(Opaque* opaque) {
  delete opaque;
  return CUBLAS_STATUS_SUCCESS;
}
template <typename T>
cublasStatus_t assign(T& to, const void* value, size_t bytes) {
  if (!value || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

bool known(int32_t type) {
  return type == CUDA_R_32F || type == CUDA_R_16BF;
}
DataType type_of(int32_t type) {
  return type == CUDA_R_16BF ? DataType::bf16 : DataType::f32;
}
// op(matrix)', row-major [columns of op, rows of op]: element (j, i) is op(matrix)(i, j).
Placed placed(const void* data, const Layout& l, bool transposed) {
  const auto rows = static_cast<int64_t>(l.rows), columns = static_cast<int64_t>(l.columns);
  Placed result{const_cast<void*>(data), type_of(l.type), {columns, rows}, {l.leading, 1}};
  if (transposed) {
    std::swap(result.shape[0], result.shape[1]);
    std::swap(result.strides[0], result.strides[1]);
  }
  return result;
}

// The product as the library sees it: D [m, n] = op(A) op(B) + bias [m], column-major.
struct Product {
  Operation operation;
  Layout a, b, d;
  uint64_t m, n, k;
};

cublasStatus_t product(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                       cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                       Product& result) {
  if (!desc || !a || !b || !c || !d) return CUBLAS_STATUS_INVALID_VALUE;
  Product p{get<Operation>(desc), get<Layout>(a), get<Layout>(b), get<Layout>(d), 0, 0, 0};
  const auto other = get<Layout>(c);
  const Operation& o = p.operation;
  for (const Layout& l : {p.a, p.b, p.d, other})
    if (!known(l.type) || l.leading < static_cast<int64_t>(l.rows))
      return CUBLAS_STATUS_INVALID_VALUE;
  p.m = o.transpose_a ? p.a.columns : p.a.rows;
  p.k = o.transpose_a ? p.a.rows : p.a.columns;
  p.n = o.transpose_b ? p.b.rows : p.b.columns;
  const bool fits = p.k == (o.transpose_b ? p.b.columns : p.b.rows) && p.d.rows == p.m &&
                    p.d.columns == p.n && other.rows == p.m && other.columns == p.n &&
                    other.type == p.d.type;
  if (!fits) return CUBLAS_STATUS_INVALID_VALUE;
  const bool types = p.a.type == p.b.type && (p.a.type == CUDA_R_16BF || p.d.type == CUDA_R_32F);
  const bool computes = o.scale == CUDA_R_32F &&
                        (o.compute == CUBLAS_COMPUTE_32F ||
                         (o.compute == CUBLAS_COMPUTE_32F_FAST_TF32 && p.a.type == CUDA_R_32F));
  const bool bias =
      o.epilogue == CUBLASLT_EPILOGUE_DEFAULT || (o.epilogue == CUBLASLT_EPILOGUE_BIAS && o.bias &&
                                                  (o.bias_type == -1 || o.bias_type == p.d.type));
  if (!types || !computes || !bias) return CUBLAS_STATUS_NOT_SUPPORTED;
  result = p;
  return CUBLAS_STATUS_SUCCESS;
}

Algorithm algorithm(const Product& p, const Preference& wishes) {
  Algorithm result{static_cast<uint32_t>(p.m),
                   static_cast<uint32_t>(p.n),
                   static_cast<uint32_t>(p.k),
                   {},
                   0,
                   1,
                   0};
  std::memcpy(result.alignment, wishes.alignment, sizeof wishes.alignment);
  result.transposes = p.operation.transpose_a * 2 + p.operation.transpose_b;
  // Long sums of few numbers are cut into parts, which a second step adds in order.
  const uint64_t room = 4 * p.m * p.n * sizeof(float);
  const bool parts = p.k >= 64 && p.k >= 8 * p.m && p.k >= 8 * p.n;
  if (parts && wishes.workspace >= room &&
      (wishes.reduction & CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)) {
    result.parts = 4;
    result.workspace = room;
  }
  return result;
}

// What a call of the library multiplies: weight [k, m], x [n, k], bias [m] or none, y [n, m].
struct ProductWork {
  Placed weight, x, bias, y;
  bool tf32;
  void* workspace;
  size_t workspace_bytes;
  bool adds;  // to y
};

void multiply(const ProductWork& work) {
  spoil(work.workspace, work.workspace_bytes);
  Context context;
  const Tensor bias = work.bias.data ? gathered(work.bias) : Tensor();
  const Tensor product =
      py4cast::linear(context, gathered(work.x, work.tf32), gathered(work.weight, work.tf32), bias);
  scatter(work.adds ? add(context, gathered(work.y), product) : product, work.y);
}

bool addressable_as(const Placed& tensor, uint32_t alignment) {
  return addressable(tensor.data, bytes_of(tensor), alignment);
}

}  // namespace

size_t cublasLtGetVersion() {
  return 0;  // of no release
}

const char* cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "success";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "not initialised";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an invalid value";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "execution failed";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "not supported";
  }
  return "unknown status";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (!handle) return CUBLAS_STATUS_INVALID_VALUE;
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          uint64_t rows, uint64_t cols, int64_t ld) {
  return create(layout, Layout{type, rows, cols, ld});
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return destroy(layout);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  return create(desc, Operation{compute, scale, CUBLAS_OP_N, CUBLAS_OP_N, -1,
                                CUBLASLT_EPILOGUE_DEFAULT, nullptr});
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  return destroy(desc);
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  return change<Operation>(desc, [&](Operation& operation) {
    switch (attribute) {
      case CUBLASLT_MATMUL_DESC_TRANSA:
        return assign(operation.transpose_a, value, bytes);
      case CUBLASLT_MATMUL_DESC_TRANSB:
        return assign(operation.transpose_b, value, bytes);
      case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return assign(operation.epilogue, value, bytes);
      case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return assign(operation.bias, value, bytes);
      case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        return assign(operation.bias_type, value, bytes);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
  });
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  return create(preference, Preference{0, CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256, 256}});
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return destroy(preference);
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  return change<Preference>(preference, [&](Preference& wishes) {
    switch (attribute) {
      case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return assign(wishes.workspace, value, bytes);
      case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        return assign(wishes.reduction, value, bytes);
      case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        return assign(wishes.alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES],
                      value, bytes);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
  });
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* found) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!preference || requested < 1 || !results || !found) return CUBLAS_STATUS_INVALID_VALUE;
  *found = 0;
  Product p;
  const cublasStatus_t status = product(desc, a, b, c, d, p);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  const Algorithm chosen = algorithm(p, get<Preference>(preference));
  results[0] = {};
  put(&results[0].algo, chosen);
  results[0].workspaceSize = chosen.workspace;
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t attribute,
                                                    void* value, size_t bytes, size_t* written) {
  if (!algo || !value || bytes != sizeof(int32_t)) return CUBLAS_STATUS_INVALID_VALUE;
  const auto chosen = get<Algorithm>(algo);
  const int32_t scheme =
      chosen.parts > 1 ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE : CUBLASLT_REDUCTION_SCHEME_NONE;
  const int32_t values[] = {20, 1, chosen.parts, scheme};  // by attribute
  std::memcpy(value, &values[attribute], bytes);
  if (written) *written = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  Product p;
  const cublasStatus_t status = product(desc, a_layout, b_layout, c_layout, d_layout, p);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (!alpha || !beta || !algo || c != d) return CUBLAS_STATUS_INVALID_VALUE;
  const float factor = *static_cast<const float*>(beta);
  if (*static_cast<const float*>(alpha) != 1 || (factor != 0 && factor != 1))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto chosen = get<Algorithm>(algo);
  if (chosen.m != p.m || chosen.n != p.n || chosen.k != p.k ||
      chosen.transposes != p.operation.transpose_a * 2 + p.operation.transpose_b ||
      workspace_bytes < chosen.workspace || !addressable(workspace, chosen.workspace, 256))
    return CUBLAS_STATUS_INVALID_VALUE;
  ProductWork work{placed(a, p.a, p.operation.transpose_a),
                   placed(b, p.b, p.operation.transpose_b),
                   {},
                   placed(d, p.d, false),
                   p.operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32,
                   workspace,
                   chosen.workspace,
                   factor == 1};
  if (p.operation.epilogue == CUBLASLT_EPILOGUE_BIAS)
    work.bias = {const_cast<void*>(p.operation.bias), work.y.type, {work.y.shape[1]}, {1}};
  if (!addressable_as(work.weight, chosen.alignment[0]) ||
      !addressable_as(work.x, chosen.alignment[1]) ||
      !addressable_as(work.y, chosen.alignment[3]) ||
      (work.bias.data && !addressable_as(work.bias, 16)))
    return CUBLAS_STATUS_INVALID_VALUE;
  py4cast::emulation::enqueue(stream, "cublasLtMatmul", [work] { multiply(work); });
  return CUBLAS_STATUS_SUCCESS;
}

#endif
