#include "kernels/common/simd.h"
#include "kernels/common/vector.h"
#include "kernels/ops/gather_kernels.h"

namespace py4cast {
namespace {

template <typename C>
PY4CAST_INLINE C inverse_count(const int32_t* offsets, int64_t node) {
  return C(1) / static_cast<C>(offsets[node + 1] - offsets[node]);
}

// to[0 .. V vectors) = factor * sum of the rows, in order; `width` channels from each row.
template <int V, typename T, typename Row>
PY4CAST_INLINE void sum_columns(int64_t begin, int64_t end, Compute<T> factor, int64_t width,
                                Row row, T* to) {
  Vector<T> sums[V] = {};
  if (width == V * lanes<T>) {
    for (int64_t i = begin; i < end; ++i) {
      const T* const from = row(i);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums[v] += load(from + v * lanes<T>);
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(to + v * lanes<T>, sums[v] * factor);
    return;
  }
  alignas(64) Compute<T> total[V * lanes<T>] = {};
  for (int64_t i = begin; i < end; ++i) {
    const T* const from = row(i);
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) total[c] += widen(from[c]);
  }
  for (int64_t c = 0; c < width; ++c) to[c] = narrow<T>(total[c] * factor);
}

}  // namespace

template <typename T>
void Gather<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t edges = index.size, nodes = offsets.size - 1;
  const int64_t channels = nodes ? x.size / (batch * nodes) : 0;
#pragma omp parallel for collapse(2) schedule(static) if (y.size > 16384)
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t e = 0; e < edges; ++e) {
      const int64_t node = index[e];
      const T* const from = x.data + (b * nodes + node) * channels;
      T* const to = y.data + (b * edges + e) * channels;
      const C factor = mean ? inverse_count<C>(offsets.data, node) : C(1);
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) to[c] = narrow<T>(widen(from[c]) * factor);
    }
}

template <typename T>
void EdgeSum<T>::run(Level) const {
  const int64_t count = from.size, channels = count ? y.size / (batch * count) : 0;
  const int64_t sender_size = senders.size / batch, receiver_size = receivers.size / batch;
#pragma omp parallel for collapse(2) schedule(static) if (y.size > 16384)
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t e = 0; e < count; ++e) {
      const T* const s = senders.data + b * sender_size + from[e] * channels;
      const T* const r = receivers.data + b * receiver_size + to[e] * channels;
      const T* const edge = edges.data + (b * count + e) * channels;
      T* const row = y.data + (b * count + e) * channels;
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c)
        row[c] = narrow<T>(widen(edge[c]) + widen(s[c]) + widen(r[c]));
    }
}

template <typename T>
void SegmentSum<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t nodes = offsets.size - 1, edges = nodes ? offsets[nodes] : 0;
  const int64_t channels = nodes ? y.size / (batch * nodes) : 0;
#pragma omp parallel for collapse(2) schedule(static) if (x.size > 16384)
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t n = 0; n < nodes; ++n) {
      const int64_t begin = offsets[n], end = offsets[n + 1];
      const T* const from = x.data + b * edges * channels;
      T* const to = y.data + (b * nodes + n) * channels;
      const C factor = mean && end > begin ? inverse_count<C>(offsets.data, n) : C(1);
      for_column_tiles<T>(channels, [&](auto tile, int64_t column) {
        constexpr int V = decltype(tile)::vectors;
        const int64_t width = smaller<int64_t>(V * lanes<T>, channels - column);
        if (order.size)
          sum_columns<V>(
              begin, end, factor, width,
              [&](int64_t i) { return from + order.data[i] * channels + column; }, to + column);
        else
          sum_columns<V>(
              begin, end, factor, width, [&](int64_t i) { return from + i * channels + column; },
              to + column);
      });
    }
}

PY4CAST_KERNEL(Gather)
PY4CAST_KERNEL(EdgeSum)
PY4CAST_KERNEL(SegmentSum)

}  // namespace py4cast
