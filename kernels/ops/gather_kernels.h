#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// y[b, e, :] = x[b, index[e], :]; with `mean` divided by the number of edges of that node.
// x [batch, nodes, channels], index [edges], offsets [nodes + 1].
template <typename T>
struct Gather {
  View<const T> x;
  View<const int32_t> index, offsets;
  int64_t batch;
  bool mean;
  View<T> y;
  PY4CAST_RUN
};

// y[b, e, :] = edges[b, e, :] + senders[b, from[e], :] + receivers[b, to[e], :]; y may be edges.
template <typename T>
struct EdgeSum {
  View<const T> edges, senders, receivers;
  View<const int32_t> from, to;
  int64_t batch;
  View<T> y;
  PY4CAST_RUN
};

// y[b, n, :] = sum over i in [offsets[n], offsets[n + 1]) of x[b, order[i], :]; with `mean` divided
// by the number of terms. order of size 0: i itself.
template <typename T>
struct SegmentSum {
  View<const T> x;
  View<const int32_t> order, offsets;
  int64_t batch;
  bool mean;
  View<T> y;
  PY4CAST_RUN
};

}  // namespace py4cast
