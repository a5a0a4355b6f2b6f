#include "kernels/common/vector.h"
#include "kernels/ops/max_pool_kernels.h"

namespace py4cast {
namespace {

// The part of a window that lies inside x.
struct Window {
  int64_t begin[3], end[3];
};
PY4CAST_INLINE Window window_at(const PoolSizes& s, const int64_t (&place)[3]) {
  Window w;
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t begin = place[axis] * s.stride[axis] - s.padding[axis];
    w.begin[axis] = larger<int64_t>(begin, 0);
    w.end[axis] = smaller(begin + s.window[axis], s.in[axis]);
  }
  return w;
}

// Calls f(first element of the pixel in x) for the pixels of a window, in order.
template <typename F>
PY4CAST_INLINE void for_pixels(const PoolSizes& s, int64_t batch, const Window& w, F&& f) {
  for (int64_t d = w.begin[0]; d < w.end[0]; ++d)
    for (int64_t h = w.begin[1]; h < w.end[1]; ++h)
      for (int64_t i = w.begin[2]; i < w.end[2]; ++i)
        f((((batch * s.in[0] + d) * s.in[1] + h) * s.in[2] + i) * s.channels);
}

PY4CAST_INLINE int64_t first_pixel(const PoolSizes& s, int64_t batch, const Window& w) {
  return (((batch * s.in[0] + w.begin[0]) * s.in[1] + w.begin[1]) * s.in[2] + w.begin[2]) *
         s.channels;
}

// Calls f(first element of the pixel in x, wins) for the pixels of a window, in order: wins[v]
// tells in which columns the pixel beats those before it. The first one leads without having won.
// Not a number beats everything, so that the last of several counts.
template <int V, typename T, typename F>
PY4CAST_INLINE void for_winners(const PoolSizes& s, int64_t batch, const Window& w, const T* x,
                                const Strip<V, T>& strip, F&& f) {
  using Mask = decltype(Vector<T>{} > Vector<T>{});
  Vector<T> best[V], value[V];
  strip.read(best, x + first_pixel(s, batch, w));
  for_pixels(s, batch, w, [&](int64_t at) {
    Mask wins[V];
    strip.read(value, x + at);
    for (int v = 0; v < V; ++v) {
      wins[v] = value[v] > best[v] || value[v] != value[v];
      best[v] = wins[v] ? value[v] : best[v];
    }
    f(at, wins);
  });
}

// Row `row` of output pixels: batch and two outer axes.
PY4CAST_INLINE void split(const PoolSizes& s, int64_t row, int64_t& batch, int64_t (&place)[3]) {
  place[1] = row % s.out[1];
  place[0] = row / s.out[1] % s.out[0];
  batch = row / s.out[1] / s.out[0];
}

// Zeros in what no window covers, for windows that lie side by side: the end of the rows and, with
// the last rows, the rows after them.
template <typename T>
PY4CAST_INLINE void clear_rest(const PoolSizes& s, int64_t batch, const int64_t (&place)[3],
                               T* dx) {
  const auto end = [&](int axis) {
    return place[axis] + 1 == s.out[axis] ? s.in[axis] : (place[axis] + 1) * s.stride[axis];
  };
  for (int64_t d = place[0] * s.stride[0]; d < end(0); ++d)
    for (int64_t h = place[1] * s.stride[1]; h < end(1); ++h) {
      const bool covered = d < s.out[0] * s.stride[0] && h < s.out[1] * s.stride[1];
      T* const line = dx + ((batch * s.in[0] + d) * s.in[1] + h) * s.in[2] * s.channels;
      for (int64_t i = covered ? s.out[2] * s.stride[2] * s.channels : 0; i < s.in[2] * s.channels;
           ++i)
        line[i] = narrow<T>(0);
    }
}

// Winners of one row of windows that lie side by side get dy, the others 0.
template <typename T>
PY4CAST_INLINE void scatter_row(const PoolSizes& s, int64_t row, const T* x, const T* dy, T* dx) {
  int64_t batch, place[3];
  split(s, row, batch, place);
  clear_rest(s, batch, place, dx);
  for (place[2] = 0; place[2] < s.out[2]; ++place[2]) {
    const Window w = window_at(s, place);
    const int64_t from = (row * s.out[2] + place[2]) * s.channels;
    for_column_tiles<T>(s.channels, [&](auto tile, int64_t column) {
      constexpr int V = decltype(tile)::vectors;
      const Strip<V, T> strip{smaller<int64_t>(V * lanes<T>, s.channels - column)};
      Vector<T> winner[V] = {}, g[V], result[V];
      Compute<T> number = 0;  // of the pixel in its window
      for_winners(s, batch, w, x + column, strip, [&](int64_t, const auto& wins) {
        for (int v = 0; v < V; ++v) winner[v] = wins[v] ? Vector<T>{} + number : winner[v];
        ++number;
      });
      strip.read(g, dy + from + column);
      number = 0;
      for_pixels(s, batch, w, [&](int64_t at) {
        for (int v = 0; v < V; ++v) result[v] = winner[v] == number ? g[v] : Vector<T>{};
        strip.write(dx + at + column, result);
        ++number;
      });
    });
  }
}

// Windows overlap: what they give to one pixel of x is collected in their order.
template <typename T>
PY4CAST_INLINE void collect_pixel(const PoolSizes& s, int64_t pixel, const T* x, const T* dy,
                                  T* dx) {
  int64_t begin[3], end[3], place[3], batch = pixel;
  for (int axis = 2; axis >= 0; --axis) {
    windows_of(s, axis, batch % s.in[axis], begin[axis], end[axis]);
    batch /= s.in[axis];
  }
  const int64_t own = pixel * s.channels;
  for_column_tiles<T>(s.channels, [&](auto tile, int64_t column) {
    constexpr int V = decltype(tile)::vectors;
    const Strip<V, T> strip{smaller<int64_t>(V * lanes<T>, s.channels - column)};
    Vector<T> g[V], share[V], sum[V] = {};
    for (place[0] = begin[0]; place[0] < end[0]; ++place[0])
      for (place[1] = begin[1]; place[1] < end[1]; ++place[1])
        for (place[2] = begin[2]; place[2] < end[2]; ++place[2]) {
          const Window w = window_at(s, place);
          const bool leads = first_pixel(s, batch, w) == own;
          const int64_t from =
              ((batch * s.out[0] + place[0]) * s.out[1] + place[1]) * s.out[2] + place[2];
          strip.read(g, dy + from * s.channels + column);
          for (int v = 0; v < V; ++v) share[v] = leads ? g[v] : Vector<T>{};
          for_winners(s, batch, w, x + column, strip, [&](int64_t at, const auto& wins) {
            for (int v = 0; v < V; ++v)
              share[v] = wins[v] ? (at == own ? g[v] : Vector<T>{}) : share[v];
          });
          for (int v = 0; v < V; ++v) sum[v] += share[v];
        }
    strip.write(dx + own + column, sum);
  });
}

}  // namespace

template <typename T>
void MaxPoolGather<T>::run(Level) const {
  const PoolSizes s = sizes;
  const int64_t rows = s.batch * s.out[0] * s.out[1];
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    int64_t batch, place[3];
    split(s, row, batch, place);
    for (place[2] = 0; place[2] < s.out[2]; ++place[2]) {
      const Window w = window_at(s, place);
      const T *const values = v.data, *const keys = x.data;
      T* const to = y.data + (row * s.out[2] + place[2]) * s.channels;
      for_column_tiles<T>(s.channels, [&](auto tile, int64_t column) {
        constexpr int V = decltype(tile)::vectors;
        const Strip<V, T> strip{smaller<int64_t>(V * lanes<T>, s.channels - column)};
        Vector<T> result[V], other[V];
        strip.read(result, values + first_pixel(s, batch, w) + column);
        for_winners(s, batch, w, keys + column, strip, [&](int64_t at, const auto& wins) {
          strip.read(other, values + at + column);
          for (int k = 0; k < V; ++k) result[k] = wins[k] ? other[k] : result[k];
        });
        strip.write(to + column, result);
      });
    }
  }
}

template <typename T>
void MaxPoolScatter<T>::run(Level) const {
  const PoolSizes s = sizes;
  if (s.tiles()) {
    const int64_t rows = s.batch * s.out[0] * s.out[1];
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; ++row) scatter_row(s, row, x.data, dy.data, dx.data);
    return;
  }
  const int64_t pixels = s.batch * s.in[0] * s.in[1] * s.in[2];
#pragma omp parallel for schedule(static)
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    collect_pixel(s, pixel, x.data, dy.data, dx.data);
}

PY4CAST_KERNEL(MaxPoolGather)
PY4CAST_KERNEL(MaxPoolScatter)

}  // namespace py4cast
