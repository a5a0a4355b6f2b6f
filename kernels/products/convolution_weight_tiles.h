// Weight gradients of convolutions: a register tile of some input channels by some vectors of
// output channels runs along a piece of a row of pixels. For *.simd.cpp files.
#pragma once

#include "kernels/common/vector.h"
#include "kernels/products/convolution_pixels.h"

namespace py4cast {
namespace {

// Memory that the next piece will read; a few lines are asked for before each register tile.
struct Ahead {
  const char *at, *end;
  int64_t step;
  template <typename T>
  PY4CAST_INLINE Ahead(const T* from, int64_t elements, int64_t steps)
      : at(reinterpret_cast<const char*>(from)),
        end(reinterpret_cast<const char*>(from + elements)),
        step((end - at) / larger<int64_t>(steps, 1) + 64) {}
  PY4CAST_INLINE void fetch() {
    for (const char* last = smaller(end, at + step); at < last; at += 64)
      __builtin_prefetch(at, 0, 2);
  }
};

// First element of the last row of x that the taps read: the others were read with earlier rows.
PY4CAST_INLINE int64_t newest_row(const Correlation& c, int64_t row, int64_t taps) {
  const int64_t from = taps > 0 ? source_row(c, row, c.taps[taps - 1]) : 0;
  return larger<int64_t>(from, 0) * c.in[2] * c.in_channels;
}

// sums[i, o] += sum over p of x[p * x_step + i] dy[p * dy_step + o]. In bf16 T is a word of two
// pixels and p counts such words.
template <int I, int V, typename T, typename S>
[[gnu::noinline]] void outer_products(const T* x, int64_t x_step, const T* dy, int64_t dy_step,
                                      int64_t pixels, S* sums, int64_t row, int64_t columns) {
  Vector<S> tile[I][V] = {};
#pragma GCC unroll 12
  for (int i = 0; i < I; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) __builtin_prefetch(sums + i * row + v * lanes<S>, 1);
  for (int64_t p = 0; p < pixels; ++p, x += x_step, dy += dy_step) {
    Vector<T> g[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) g[v] = load(dy + v * lanes<T>);
#pragma GCC unroll 12
    for (int i = 0; i < I; ++i) {
      const T value = x[i];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) tile[i][v] = multiply_add(tile[i][v], value, g[v]);
    }
  }
  const Strip<V, S> strip{columns};
#pragma GCC unroll 12
  for (int i = 0; i < I; ++i, sums += row) {
    Vector<S> total[V];
    strip.read(total, sums);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) total[v] += tile[i][v];
    strip.write(sums, total);
  }
}

// For `depth` channels i. before_tile() is called before each register tile.
template <int V, typename T, typename S, typename Before>
PY4CAST_INLINE void all_channels(const T* x, int64_t x_step, int64_t depth, const T* dy,
                                 int64_t dy_step, int64_t pixels, S* sums, int64_t row,
                                 int64_t columns, const Before& before_tile) {
  constexpr int most = Tile<V>::rows;
  int64_t i = 0;
  const auto step = [&]<int I>(Tile<I>) {
    for (; depth - i >= I; i += I) {
      before_tile();
      outer_products<I, V, T, S>(x + i, x_step, dy, dy_step, pixels, sums + i * row, row, columns);
    }
  };
  step(Tile<most>{});
  step(Tile<4>{});
  step(Tile<2>{});
  step(Tile<1>{});
}

template <typename T>
PY4CAST_INLINE void add_in_order(View<const T> partial, int64_t chunks, View<T> dw) {
#pragma omp parallel for schedule(static) if (chunks * dw.size > 65536)
  for (int64_t i = 0; i < dw.size; ++i) {
    T total = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) total += partial[chunk * dw.size + i];
    dw[i] = total;
  }
}

}  // namespace
}  // namespace py4cast
