// Direct convolution: a register tile of some output pixels by some vectors of output channels runs
// through all taps and input channels. Weights stream from the second-level cache.
#include "kernels/convolution_kernels.h"
#include "kernels/vector.h"

namespace py4cast {
namespace {

constexpr int64_t block_pixels = 96;  // a multiple of every tile's rows
constexpr int64_t panel_bytes = 384 * 1024;
constexpr int64_t ahead = 8;  // input channels between the prefetch of weights and their use  //
                              // weights that stay cached while a block is worked on

struct Pixel {
  int64_t at[4];  // batch and three axes of the sub-grid
};

PY4CAST_INLINE Pixel pixel_at(const Correlation& c, int64_t index) {
  Pixel p;
  for (int axis = 2; axis >= 0; --axis) {
    p.at[axis + 1] = index % c.out[axis];
    index /= c.out[axis];
  }
  p.at[0] = index;
  return p;
}

PY4CAST_INLINE void advance(const Correlation& c, Pixel& p, int64_t by) {
  p.at[3] += by;
  while (p.at[3] >= c.out[2]) {
    p.at[3] -= c.out[2];
    if (++p.at[2] == c.out[1]) {
      p.at[2] = 0;
      if (++p.at[1] == c.out[0]) {
        p.at[1] = 0;
        ++p.at[0];
      }
    }
  }
}

PY4CAST_INLINE bool inside(int64_t i, int64_t size) {
  return static_cast<uint64_t>(i) < static_cast<uint64_t>(size);
}

// Element of x, in pixels, that the tap reads for output pixel p; -1 outside.
PY4CAST_INLINE int64_t source(const Correlation& c, const Pixel& p, const Tap& tap) {
  int64_t index = p.at[0];
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t i = p.at[axis + 1] * c.in_step[axis] + tap.offset[axis];
    if (!inside(i, c.in[axis])) return -1;
    index = index * c.in[axis] + i;
  }
  return index;
}

PY4CAST_INLINE int64_t target(const Correlation& c, const Pixel& p) {
  int64_t index = p.at[0];
  for (int axis = 0; axis < 3; ++axis)
    index = index * c.out_size[axis] + p.at[axis + 1] * c.out_step[axis] + c.out_first[axis];
  return index;
}

// What is the same for all tiles of a column tile.
template <typename T>
struct Panel {
  const Correlation& c;
  int64_t depth;      // input channels of a group
  int64_t row;        // input channels of all groups: from pixel to pixel
  int64_t low, high;  // first and last offset along the innermost axis
  const T* x;         // the group's first channel
  const T* zeros;
  const T* weights;  // [slab, depth, columns of the tile]
  const T* bias;
  T* y;
  int64_t columns;  // valid ones
};

// The pixels of a tile lie in one row, and all taps stay inside it: pixel p is at x + p * stride.
template <int P, int V, typename T>
PY4CAST_INLINE void along_row(Vector<T> (&sums)[P][V], const T* x, int64_t stride, const T* w,
                              int64_t depth) {
  const T* base[(P + 2) / 3];
#pragma GCC unroll 4
  for (int b = 0; b < (P + 2) / 3; ++b) base[b] = x + 3 * b * stride;
  for (int64_t k = 0; k < depth; ++k, w += V * lanes<T>) {
    Vector<T> row[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) row[v] = load(w + v * lanes<T>);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) __builtin_prefetch(w + (ahead * V + v) * lanes<T>);
#pragma GCC unroll 12
    for (int p = 0; p < P; ++p) {
      const T value = base[p / 3][p % 3 * stride + k];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums[p][v] += value * row[v];
    }
  }
}

template <int P, int V, typename T>
PY4CAST_INLINE void at_pixels(Vector<T> (&sums)[P][V], const T* const (&x)[P], const T* w,
                              int64_t depth) {
  for (int64_t k = 0; k < depth; ++k, w += V * lanes<T>) {
    Vector<T> row[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) row[v] = load(w + v * lanes<T>);
#pragma GCC unroll 12
    for (int p = 0; p < P; ++p) {
      const T value = x[p][k];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums[p][v] += value * row[v];
    }
  }
}

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
    strip.read(start, add ? out : panel.bias);
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
  const int64_t slab = panel.depth * V * lanes<T>;
  if (pixels == P && w + P <= c.out[2] && w * c.in_step[2] + panel.low >= 0 &&
      (w + P - 1) * c.in_step[2] + panel.high < c.in[2]) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t from = source(c, first, c.taps[t]);
      if (from < 0) continue;
      if (c.taps[t].offset[2] == panel.high)
        fetch_row(panel, from + P * c.in_step[2], P * c.in_step[2]);
      along_row<P, V, T>(sums, panel.x + from * panel.row, c.in_step[2] * panel.row,
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
      if (any) at_pixels<P, V, T>(sums, from, panel.weights + c.taps[t].slab * slab, panel.depth);
    }
  }
  finish<P, V, T>(panel, sums, first, pixels, begin > 0);
}

template <int V, typename T>
PY4CAST_INLINE void block(const Panel<T>& panel, int64_t begin, int64_t end) {
  constexpr int P = Tile<V>::rows;
  const Correlation& c = panel.c;
  const int64_t bytes = panel.depth * V * vector_bytes;
  const int64_t taps = larger<int64_t>(1, panel_bytes / larger<int64_t>(1, bytes));
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

template <CpuLevel level, typename T>
void pack_weights_kernel(Cpu<level>, PackSizes s, View<const T> weight, View<const T> bias,
                         View<T> packed) {
  const int64_t columns = packed_columns(s.out), group_size = s.slabs * s.in * columns;
  const int64_t slab_size = s.in * s.out * s.groups;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t slab = 0; slab < s.slabs; ++slab)
      for_column_tiles<T>(s.out, [&](auto tile_type, int64_t column) {
        constexpr int width = decltype(tile_type)::vectors * lanes<T>;
        const int64_t valid = smaller<int64_t>(width, s.out - column);
        T* to = packed.data + g * group_size + s.slabs * s.in * column + slab * s.in * width;
        const T* from = weight.data + (s.transposed ? s.slabs - 1 - slab : slab) * slab_size;
        for (int64_t i = 0; i < s.in; ++i, to += width)
          for (int64_t o = 0; o < width; ++o)
            to[o] = o >= valid     ? T(0)
                    : s.transposed ? from[(column + o) * s.in * s.groups + g * s.in + i]
                                   : from[i * s.out * s.groups + g * s.out + column + o];
      });
  T* const zeros = packed.data + s.groups * group_size;
  for (int64_t i = 0; i < packed_columns(s.in); ++i) zeros[i] = 0;
  T* const start = zeros + packed_columns(s.in);
  for (int64_t o = 0; o < s.groups * s.out; ++o) start[o] = bias.size ? bias[o] : T(0);
}

template <CpuLevel level, typename T>
void correlation_kernel(Cpu<level>, const Correlation& c, View<const T> x, PackSizes s,
                        View<const T> packed, View<T> y) {
  const int64_t pixels = c.batch * c.out[0] * c.out[1] * c.out[2];
  const int64_t blocks = (pixels + block_pixels - 1) / block_pixels;
  const int64_t columns = packed_columns(s.out), group_size = s.slabs * s.in * columns;
  int64_t low = 0, high = 0;
  for (int64_t t = 0; t < c.taps.size; ++t) {
    low = smaller(low, c.taps[t].offset[2]);
    high = larger(high, c.taps[t].offset[2]);
  }
  const T* const zeros = packed.data + s.groups * group_size;
  const T* const bias = zeros + packed_columns(s.in);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t b = 0; b < blocks; ++b)
      for_column_tiles<T>(s.out, [&](auto tile_type, int64_t column) {
        constexpr int V = decltype(tile_type)::vectors;
        const Panel<T> panel{c,
                             s.in,
                             c.in_channels,
                             low,
                             high,
                             x.data + g * s.in,
                             zeros,
                             packed.data + g * group_size + s.slabs * s.in * column,
                             bias + g * s.out + column,
                             y.data + g * s.out + column,
                             smaller<int64_t>(V * lanes<T>, s.out - column)};
        block<V, T>(panel, b * block_pixels, smaller(pixels, (b + 1) * block_pixels));
      });
}

#define PY4CAST_INSTANTIATE(T)                                                                \
  template void pack_weights_kernel(Level, PackSizes, View<const T>, View<const T>, View<T>); \
  template void correlation_kernel(Level, const Correlation&, View<const T>, PackSizes,       \
                                   View<const T>, View<T>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)

}  // namespace py4cast
