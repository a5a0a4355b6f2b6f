#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// y[b, e, :] = x[b, index[e], :]; with `mean` divided by the number of edges of that node.
// x [batch, nodes, channels], index [edges], offsets [nodes + 1].
template <CpuLevel level, typename T>
void gather_kernel(Cpu<level>, View<const T> x, View<const int32_t> index,
                   View<const int32_t> offsets, int64_t batch, bool mean, View<T> y);
template <typename T>
void gather_kernel(Cuda device, View<const T> x, View<const int32_t> index,
                   View<const int32_t> offsets, int64_t batch, bool mean, View<T> y);

// y[b, n, :] = sum over i in [offsets[n], offsets[n + 1]) of x[b, order[i], :]; with `mean` divided
// by the number of terms. order of size 0: i itself.
template <CpuLevel level, typename T>
void segment_sum_kernel(Cpu<level>, View<const T> x, View<const int32_t> order,
                        View<const int32_t> offsets, int64_t batch, bool mean, View<T> y);
template <typename T>
void segment_sum_kernel(Cuda device, View<const T> x, View<const int32_t> order,
                        View<const int32_t> offsets, int64_t batch, bool mean, View<T> y);

}  // namespace py4cast
