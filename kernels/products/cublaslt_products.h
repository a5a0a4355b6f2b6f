// Matrix products by cuBLASLt. In the emulated build cuBLASLt is cublaslt_on_cpu.h.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <string>

#include "engine/data_type.h"
#include "engine/device.h"

namespace py4cast {

// d = op(a) op(b) + bias of row-major matrices: op(a) is m x k, op(b) k x n, bias [n], d m x n.
// Operands are all f32 or all bf16, d is f32 or bf16, bias has the type of d. Sums are fp32; with
// tf32 the library rounds f32 operands to tf32.
struct MatrixProduct {
  int64_t m, n, k;
  bool transpose_a, transpose_b;  // a is stored as k x m, b as n x k
  DataType operands, result;
  bool bias, tf32;
  auto operator<=>(const MatrixProduct&) const = default;
};

// The algorithms in use, one for each product, chosen by the library's heuristics and kept: never
// by timing. Only those that sum in one sequence, or in parts that a second step adds in order.
class MatrixProducts {
 public:
  static std::string version();  // "13.1.0"
  MatrixProducts();
  ~MatrixProducts();

  struct Plan;
  // Null: the library has no algorithm for it.
  Plan* plan(const MatrixProduct& product);
  static size_t workspace(const Plan& plan);  // bytes
  // "product ...: cuBLASLt algorithm 20, ..."
  static const std::string& description(const Plan& plan);
  // "product m x k x n of bf16 a^T b^T with bias to f32", as far as it has these
  static std::string name(const MatrixProduct& product);
  // Everything 16-byte aligned in device memory, the workspace 256; bias null where the product has none. adds: to what d
  // holds.
  void run(Plan& plan, const void* a, const void* b, const void* bias, void* d, bool adds,
           void* workspace, Stream stream);

 private:
  struct Library;
  std::unique_ptr<Plan> make(const MatrixProduct& product) const;

  std::unique_ptr<Library> library_;
  std::map<MatrixProduct, std::unique_ptr<Plan>> plans_;
};

}  // namespace py4cast
