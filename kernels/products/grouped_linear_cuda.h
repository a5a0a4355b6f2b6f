// The kernel of grouped_linear.cu.
#pragma once

#include <span>
#include <vector>

#include "kernels/common/view.h"

namespace py4cast {

// Most products of one launch, and of one sum; most features of rows and results; most rows: more fill a GPU by
// themselves, and their products are worth the libraries' kernels.
constexpr int64_t most_grouped_products = 3, grouped_linear_width = 64, grouped_linear_rows = 16384;

// y [rows, out] = the sum of the products of x [rows, in] with weight [in, out], or with the transpose of
// weight [out, in]; `adds`: added to y. y may lie where an x with as many features lies. Sums are f32.
template <typename T>
struct SumOfProducts {
  struct Term {
    int64_t in;
    View<const T> x;
    View<const float> weight;
  };
  int64_t rows, out;
  std::vector<Term> terms;  // at most most_grouped_products
  bool adds;
  View<T> y;
};
// In one launch: at most most_grouped_products of them. tf32: operands of f32 are rounded to tf32.
template <typename T>
struct GroupedProducts {
  std::span<const SumOfProducts<T>> sums;
  bool transposed, tf32;
  PY4CAST_RUN
};

}  // namespace py4cast
