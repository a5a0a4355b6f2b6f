#include "kernels/common/vector.h"
#include "kernels/ops/upsample_kernels.h"

namespace py4cast {
namespace {

// The first place that lies at or after source point i.
PY4CAST_INLINE int64_t first_place(const ResampledAxis& axis, int64_t i) {
  int64_t low = 0, high = axis.out;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (place<double>(axis, middle).first < i)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Sums over the places between two rows and two columns of source points, for their four corners.
template <int V, typename T>
struct Corners {
  Vector<T> sum[2][2][V] = {};
  PY4CAST_INLINE void add(const Vector<T> (&g)[V], Compute<T> row_weight,
                          Compute<T> column_weight) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Vector<T> right = g[v] * column_weight, left = g[v] - right;
      const Vector<T> lower_right = right * row_weight, lower_left = left * row_weight;
      sum[0][0][v] += left - lower_left;
      sum[0][1][v] += right - lower_right;
      sum[1][0][v] += lower_left;
      sum[1][1][v] += lower_right;
    }
  }
};

template <int V, typename C>
PY4CAST_INLINE void deposit(const Strip<V, C>& strip, C* to, int64_t channels, bool first,
                            bool last, const Vector<C> (&left)[V], const Vector<C> (&right)[V]) {
  Vector<C> total[V];
  if (first) {
    for (int v = 0; v < V; ++v) total[v] = left[v];
  } else {
    strip.read(total, to);
    for (int v = 0; v < V; ++v) total[v] += left[v];
  }
  strip.write(to, total);
  if (!last) strip.write(to + channels, right);
}

}  // namespace

template <typename T>
void Upsample<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t total = y.size / (columns.out * channels), line = columns.in * channels;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < total; ++r) {
    const Place<C> row = place<C>(rows, r % rows.out);
    const T* const upper = x.data + (r / rows.out * rows.in + row.first) * line;
    const T* const lower = row.first + 1 < rows.in ? upper + line : upper;
    for (int64_t p = 0; p < columns.out; ++p) {
      const Place<C> column = place<C>(columns, p);
      const int64_t left = column.first * channels;
      const int64_t right = column.first + 1 < columns.in ? left + channels : left;
      const int64_t to = (r * columns.out + p) * channels;
      for_column_tiles<T>(channels, [&](auto tile, int64_t c) {
        constexpr int V = decltype(tile)::vectors;
        const Strip<V, T> strip{smaller<int64_t>(V * lanes<T>, channels - c)};
        Vector<T> a[V], b[V], d[V], e[V], start[V] = {};
        strip.read(a, upper + left + c);
        strip.read(b, upper + right + c);
        strip.read(d, lower + left + c);
        strip.read(e, lower + right + c);
        if (base.size) strip.read(start, base.data + to + c);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          const Vector<T> above = a[v] + column.weight * (b[v] - a[v]);
          const Vector<T> under = d[v] + column.weight * (e[v] - d[v]);
          start[v] += above + row.weight * (under - above);
        }
        strip.write(y.data + to + c, start);
      });
    }
  }
}

template <typename T>
void UpsampleGradient<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t line = columns.in * channels, total = dx.size / line;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < total; ++r) {
    const int64_t row_begin = first_place(rows, r % rows.in);
    const int64_t row_end = first_place(rows, r % rows.in + 1);
    const T* const image = dy.data + r / rows.in * rows.out * columns.out * channels;
    int64_t begin = 0, end = 0;
    for (int64_t i = 0; i < columns.in; ++i, begin = end) {
      while (end < columns.out && place<C>(columns, end).first == i) ++end;
      for_column_tiles<T>(channels, [&](auto tile, int64_t c) {
        constexpr int V = decltype(tile)::vectors;
        const Strip<V, T> strip{smaller<int64_t>(V * lanes<T>, channels - c)};
        Corners<V, T> corners;
        for (int64_t h = row_begin; h < row_end; ++h) {
          const C row_weight = place<C>(rows, h).weight;
          for (int64_t w = begin; w < end; ++w) {
            Vector<T> g[V];
            strip.read(g, image + (h * columns.out + w) * channels + c);
            corners.add(g, row_weight, place<C>(columns, w).weight);
          }
        }
        const int64_t to = r * line + i * channels + c;
        const bool last = i + 1 == columns.in;
        const Strip<V, C> sums{strip.valid};
        deposit(sums, upper.data + to, channels, i == 0, last, corners.sum[0][0],
                corners.sum[0][1]);
        deposit(sums, below.data + to, channels, i == 0, last, corners.sum[1][0],
                corners.sum[1][1]);
      });
    }
  }
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < total; ++r) {
    const C* const sums = upper.data;
    const C* const others = below.data - line;
    const int64_t end = (r + 1) * line;
    if (r % rows.in == 0) {
      for (int64_t i = r * line; i < end; ++i) dx[i] = narrow<T>(sums[i]);
    } else {
#pragma omp simd
      for (int64_t i = r * line; i < end; ++i) dx[i] = narrow<T>(sums[i] + others[i]);
    }
  }
}

PY4CAST_KERNEL(Upsample)
PY4CAST_KERNEL(UpsampleGradient)

}  // namespace py4cast
