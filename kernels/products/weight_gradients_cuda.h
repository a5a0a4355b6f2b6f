// The kernels of weight_gradients.cu.
#pragma once

#include <span>

#include "kernels/common/view.h"

namespace py4cast {

// Most features of x and of dy; most products of one launch; rows of one part of a product.
constexpr int64_t weight_gradient_width = 64, most_weight_gradients = 40,
                  weight_gradient_rows = 512;

// to [in, out] += transpose of x [rows, in] times dy [rows, out], for each product; no two have the same
// `to`. Parts of rows are summed in order. partial: a square of weight_gradient_width numbers for each part
// of all products.
template <typename T>
struct SmallProduct {
  int64_t rows, in, out;
  View<const T> x, dy;
  View<float> to;
};
template <typename T>
struct SmallProducts {
  std::span<const SmallProduct<T>> products;
  bool tf32;
  View<float> partial;
  PY4CAST_RUN
};

}  // namespace py4cast
