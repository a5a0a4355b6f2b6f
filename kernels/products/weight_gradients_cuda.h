// The kernels of weight_gradients.cu.
#pragma once

#include <span>

#include "kernels/common/view.h"

namespace py4cast {

// Most features of x and of dy; most products of one launch; rows of one part of a product.
constexpr int64_t weight_gradient_width = 64, most_weight_gradients = 40,
                  weight_gradient_rows = 512;

// The transpose of x [rows, in] times dy [rows, out], for each product: part after part of its rows gives
// a square of weight_gradient_width numbers of `partial`, one product after another.
template <typename T>
struct SmallProduct {
  int64_t rows, in, out;
  View<const T> x, dy;
};
template <typename T>
struct SmallProducts {
  std::span<const SmallProduct<T>> products;
  bool tf32;
  View<float> partial;
  PY4CAST_RUN
};

// to [rows, columns] = the sum over parts of the rows from first_row on of partial [parts, part_rows,
// weight_gradient_width], in a fixed order.
struct SumOfParts {
  int64_t parts, part_rows, first_row, rows, columns;
  View<const float> partial;
  View<float> to;
};
// No two `to` overlap. adds: to what `to` holds.
struct SumsOfParts {
  std::span<const SumOfParts> sums;
  bool adds;
  PY4CAST_RUN
};

}  // namespace py4cast
