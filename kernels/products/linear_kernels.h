#pragma once

#include "kernels/products/convolution_kernels.h"

namespace py4cast {

// How many partial sums a weight gradient is made of: it depends on the sizes alone. Beside the
// rows (view.h) they bound the memory, at about 2 million numbers.
[[gnu::always_inline]] inline int64_t weight_gradient_chunks(int64_t rows, int64_t in,
                                                             int64_t out) {
  int64_t chunks = chunk_count(rows);
  while (chunks > 8 && chunks * in * out > (int64_t{1} << 21)) chunks /= 2;
  return chunks < 1 ? 1 : chunks;
}

// y [rows, columns] = x [rows, depth] w + bias, added to what is there if `adds`; w [depth, columns] or,
// if transposed, the transpose of w [columns, depth]. bias [columns], or of size 0. packed: room for (depth + 1) *
// packed_columns(columns).
template <typename T>
struct LinearProduct {
  int64_t rows, depth, columns;
  View<const T> x, w;
  bool transposed;
  View<const T> bias;
  bool adds;
  View<T> packed, y;
  PY4CAST_RUN
};

// dweight [in, out] = transpose of x [rows, in] times dy [rows, out]; dbias [out] = sum over rows
// of dy, or of size 0. partial: weight_gradient_chunks * (in + 1) * packed_columns(out).
template <typename T>
struct LinearWeightGradient {
  int64_t rows, in, out;
  View<const T> x, dy;
  View<T> partial, dweight, dbias;
  PY4CAST_RUN
};

}  // namespace py4cast
