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
template <CpuLevel level>
void join_rows_kernel(Cpu<level>, const RowPart* parts, int64_t count, int64_t rows,
                      View<std::byte> y);
void join_rows_kernel(Cuda, const RowPart* parts, int64_t count, int64_t rows, View<std::byte> y);

// y is contiguous with `rank` sizes; element (i0, i1, ..) of y is x[i0 strides[0] + i1 strides[1]
// + ..]. Sizes and strides in elements of element_bytes (2, 4 or 8).
template <CpuLevel level>
void permute_kernel(Cpu<level>, View<const std::byte> x, const int64_t* sizes,
                    const int64_t* strides, int rank, int64_t element_bytes, View<std::byte> y);
void permute_kernel(Cuda, View<const std::byte> x, const int64_t* sizes, const int64_t* strides,
                    int rank, int64_t element_bytes, View<std::byte> y);

// y[i] = x[i], From and To different ones of f32, f64, bf16.
template <CpuLevel level, typename From, typename To>
void cast_kernel(Cpu<level>, View<const From> x, View<To> y);
template <typename From, typename To>
void cast_kernel(Cuda, View<const From> x, View<To> y);

}  // namespace py4cast
