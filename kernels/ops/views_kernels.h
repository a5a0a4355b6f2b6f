#pragma once

#include <cstddef>

#include "kernels/common/view.h"

namespace py4cast {

// One source of joined rows: row r begins at data + r * pitch and has `width` bytes; zeros where
// data is null.
struct RowPart {
  const std::byte* data;
  int64_t pitch, width;
};

// Row r of y = row r of each part, one after another.
struct JoinRows {
  const RowPart* parts;
  int64_t count, rows;
  View<std::byte> y;
  PY4CAST_RUN
};

// y is contiguous with `rank` sizes; element (i0, i1, ..) of y is
//   x[i0 strides[0] + i1 strides[1] + ..]
// Sizes and strides in elements of element_bytes (2, 4 or 8).
struct Permute {
  View<const std::byte> x;
  const int64_t *sizes, *strides;
  int rank;
  int64_t element_bytes;
  View<std::byte> y;
  PY4CAST_RUN
};

// y[i] = x[i], From and To different ones of f32, f64, bf16.
template <typename From, typename To>
struct CastMap {
  View<const From> x;
  View<To> y;
  PY4CAST_RUN
};

}  // namespace py4cast
