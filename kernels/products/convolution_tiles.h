// Direct convolution: a register tile of some output pixels by some vectors of output channels runs
// through all taps and input channels. Weights stream from the second-level cache. For *.simd.cpp
// files, which instantiate it for their types.
#pragma once

#include "kernels/common/vector.h"
#include "kernels/products/convolution_pixels.h"

namespace py4cast {
namespace {

constexpr int64_t block_pixels = 96;  // a multiple of every tile's rows
constexpr int64_t panel_bytes = 384 * 1024;
constexpr int64_t ahead = 8;  // input channels between the prefetch of weights and their use

// What is the same for all tiles of a column tile.
template <typename T>
struct Panel {
  const Correlation& c;
  int64_t depth;      // input channels of a group
  int64_t row;        // input channels of all groups: from pixel to pixel
  int64_t low, high;  // first and last offset along the innermost axis
  const T* x;         // the group's first channel
  const T* zeros;
  const Packed<T>* weights;  // [slab, packed depth, columns of the tile]
  const Compute<T>* bias;
  T* y;
  int64_t columns;  // valid ones
};

// Where the pixels of a tile are. In one row: pixel p is at x + p * stride.
template <int P, typename T>
struct AlongRow {
  const T* base[(P + 2) / 3];
  int64_t stride;
  PY4CAST_INLINE AlongRow(const T* x, int64_t stride_) : stride(stride_) {
#pragma GCC unroll 4
    for (int b = 0; b < (P + 2) / 3; ++b) base[b] = x + 3 * b * stride;
  }
  PY4CAST_INLINE const T* operator[](int p) const {
    return base[p / 3] + p % 3 * stride;
  }
};

// sums[p][v] += value_at(p) w[v] for a row of weights
template <int P, int V, typename T, typename W, typename Values>
PY4CAST_INLINE void add_products(Vector<T> (&sums)[P][V], const W* w, const Values& value_at) {
  Vector<W> row[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) row[v] = load(w + v * lanes<W>);
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) __builtin_prefetch(w + (ahead * V + v) * lanes<W>);
#pragma GCC unroll 12
  for (int p = 0; p < P; ++p) {
    const auto value = value_at(p);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) sums[p][v] = multiply_add(sums[p][v], value, row[v]);
  }
}

using Pair [[gnu::may_alias, gnu::aligned(2)]] = uint32_t;
PY4CAST_INLINE uint32_t pair_at(const bfloat16* x) {
  return *reinterpret_cast<const Pair*>(x);
}
PY4CAST_INLINE Vector<float> as_floats(Words x) {
  return reinterpret_cast<Vector<float>>(x);
}

// sums[p][v] += sum_k x[p][k] w[k, v]
template <int P, int V, typename T, typename Pixels>
PY4CAST_INLINE void multiply(Vector<T> (&sums)[P][V], const Pixels& x, const Packed<T>* w,
                             int64_t depth) {
  constexpr int64_t width = V * lanes<T>;
  const auto add = [&](auto&& value_at) {
    add_products<P, V, T>(sums, w, value_at);
    w += width;
  };
  int64_t k = 0;
  if constexpr (!is_bf16<T>) {
    for (; k < depth; ++k) add([&](int p) { return x[p][k]; });
  } else if constexpr (by_pairs<T>) {
    for (; k + 2 <= depth; k += 2) add([&](int p) { return pair_at(x[p] + k); });
    if (k < depth) add([&](int p) { return uint32_t{x[p][k].bits}; });
  } else {
    for (; k + 2 <= depth; k += 2) {
      add([&](int p) { return as_floats((Words{} + pair_at(x[p] + k)) << 16); });
      add([&](int p) { return as_floats((Words{} + pair_at(x[p] + k)) & 0xffff0000u); });
    }
    if (k < depth) add([&](int p) { return widen(x[p][k]); });
  }
}

// Adds the bias, or what earlier taps gave (not in bf16, which is rounded only once).
template <int P, int V, typename T>
PY4CAST_INLINE void finish(const Panel<T>& panel, Vector<T> (&sums)[P][V], const Pixel& first,
                           int64_t pixels, bool add) {
  const Strip<V, T> strip{panel.columns};
  Pixel pixel = first;
#pragma GCC unroll 12
  for (int p = 0; p < P; ++p) {
    if (p >= pixels) return;
    T* const out = panel.y + target(panel.c, pixel) * panel.c.out_channels;
    advance(panel.c, pixel, 1);
    Vector<T> start[V];
    if (!is_bf16<T> && add)
      strip.read(start, out);
    else
      Strip<V, Compute<T>>{panel.columns}.read(start, panel.bias);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) start[v] += sums[p][v];
    strip.write(out, start);
  }
}

// Asks for the pixels of the next tile before they are needed.
template <typename T>
PY4CAST_INLINE void fetch_row(const Panel<T>& panel, int64_t from, int64_t pixels) {
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t i = 0; i < panel.depth; i += line)
      __builtin_prefetch(panel.x + (from + p) * panel.row + i);
}

// One register tile, taps [begin, end).
template <int P, int V, typename T>
[[gnu::noinline]] void tile(const Panel<T>& panel, const Pixel& first, int64_t pixels,
                            int64_t begin, int64_t end) {
  const Correlation& c = panel.c;
  Vector<T> sums[P][V] = {};
  const int64_t w = first.at[3];
  const int64_t slab = packed_depth<T>(panel.depth) * V * lanes<T>;
  if (pixels == P && w + P <= c.out[2] && w * c.in_step[2] + panel.low >= 0 &&
      (w + P - 1) * c.in_step[2] + panel.high < c.in[2]) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t from = source(c, first, c.taps[t]);
      if (from < 0) continue;
      if (c.taps[t].offset[2] == panel.high)
        fetch_row(panel, from + P * c.in_step[2], P * c.in_step[2]);
      multiply<P, V, T>(sums, AlongRow<P, T>(panel.x + from * panel.row, c.in_step[2] * panel.row),
                        panel.weights + c.taps[t].slab * slab, panel.depth);
    }
  } else {
    for (int64_t t = begin; t < end; ++t) {
      const T* from[P];
      Pixel pixel = first;
      bool any = false;
      for (int p = 0; p < P; ++p) {
        const int64_t index = p < pixels ? source(c, pixel, c.taps[t]) : -1;
        from[p] = index < 0 ? panel.zeros : panel.x + index * panel.row;
        any |= index >= 0;
        if (p + 1 < pixels) advance(c, pixel, 1);
      }
      if (any) multiply<P, V, T>(sums, from, panel.weights + c.taps[t].slab * slab, panel.depth);
    }
  }
  finish<P, V, T>(panel, sums, first, pixels, begin > 0);
}

template <int V, typename T>
PY4CAST_INLINE void block(const Panel<T>& panel, int64_t begin, int64_t end) {
  constexpr int P = Tile<V>::rows;
  const Correlation& c = panel.c;
  const int64_t bytes = panel.depth * V * vector_bytes;
  const int64_t taps =
      is_bf16<T> ? c.taps.size : larger<int64_t>(1, panel_bytes / larger<int64_t>(1, bytes));
  int64_t tap = 0;
  do {
    const int64_t last = smaller(c.taps.size, tap + taps);
    Pixel first = pixel_at(c, begin);
    for (int64_t q = begin; q < end; q += P) {
      tile<P, V, T>(panel, first, smaller<int64_t>(P, end - q), tap, last);
      advance(c, first, P);
    }
    tap = last;
  } while (tap < c.taps.size);
}

}  // namespace

template <typename T>
void PackWeights<T>::run(Level) const {
  const int64_t columns = packed_columns(sizes.out), depth = packed_depth<T>(sizes.in);
  const int64_t slab_size = sizes.in * sizes.out * sizes.groups;
#pragma omp parallel for collapse(2) schedule(static) if (sizes.slabs * slab_size > 16384)
  for (int64_t g = 0; g < sizes.groups; ++g)
    for (int64_t slab = 0; slab < sizes.slabs; ++slab)
      for_column_tiles<T>(sizes.out, [&](auto tile_type, int64_t column) {
        constexpr int width = decltype(tile_type)::vectors * lanes<T>;
        const int64_t valid = smaller<int64_t>(width, sizes.out - column);
        Packed<T>* const to = reinterpret_cast<Packed<T>*>(packed.data) +
                              (g * columns + column) * sizes.slabs * depth + slab * depth * width;
        const Compute<T>* from =
            weight.data + (sizes.transposed ? sizes.slabs - 1 - slab : slab) * slab_size;
        const auto weight_at = [&](int64_t i, int64_t o) {
          if (o >= valid || i >= sizes.in) return narrow<T>(0);
          return narrow<T>(sizes.transposed
                               ? from[(column + o) * sizes.in * sizes.groups + g * sizes.in + i]
                               : from[i * sizes.out * sizes.groups + g * sizes.out + column + o]);
        };
        for (int64_t i = 0; i < depth; ++i)
          for (int64_t o = 0; o < width; ++o)
            if constexpr (by_pairs<T>)
              to[i * width + o] = weight_at(2 * i, o).bits | uint32_t{weight_at(2 * i + 1, o).bits}
                                                                 << 16;
            else
              to[i * width + o] = widen(weight_at(i, o));
      });
  Compute<T>* const zeros = packed.data + packed_zeros(sizes);
  for (int64_t i = 0; i < packed_columns(sizes.in); ++i) zeros[i] = 0;
  Compute<T>* const start = zeros + packed_columns(sizes.in);
  for (int64_t o = 0; o < sizes.groups * sizes.out; ++o)
    start[o] = bias.size ? bias[o] : Compute<T>(0);
}

template <typename T>
void Correlate<T>::run(Level) const {
  const int64_t pixels = c.batch * c.out[0] * c.out[1] * c.out[2];
  const int64_t blocks = (pixels + block_pixels - 1) / block_pixels;
  const int64_t columns = packed_columns(sizes.out),
                slabs_depth = sizes.slabs * packed_depth<T>(sizes.in);
  int64_t low = 0, high = 0;
  for (int64_t t = 0; t < c.taps.size; ++t) {
    low = smaller(low, c.taps[t].offset[2]);
    high = larger(high, c.taps[t].offset[2]);
  }
  const auto* const weights = reinterpret_cast<const Packed<T>*>(packed.data);
  const Compute<T>* const zeros = packed.data + packed_zeros(sizes);
  const Compute<T>* const bias = zeros + packed_columns(sizes.in);
#pragma omp parallel for collapse(2) schedule(static) if (blocks * sizes.groups > 1)
  for (int64_t g = 0; g < sizes.groups; ++g)
    for (int64_t b = 0; b < blocks; ++b)
      for_column_tiles<T>(sizes.out, [&](auto tile_type, int64_t column) {
        constexpr int V = decltype(tile_type)::vectors;
        const Panel<T> panel{c,
                             sizes.in,
                             c.in_channels,
                             low,
                             high,
                             x.data + g * sizes.in,
                             reinterpret_cast<const T*>(zeros),
                             weights + (g * columns + column) * slabs_depth,
                             bias + g * sizes.out + column,
                             y.data + g * sizes.out + column,
                             smaller<int64_t>(V * lanes<T>, sizes.out - column)};
        block<V, T>(panel, b * block_pixels, smaller(pixels, (b + 1) * block_pixels));
      });
}

}  // namespace py4cast
