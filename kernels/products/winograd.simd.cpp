#include "kernels/products/linear_tile.h"
#include "kernels/products/winograd_kernels.h"

namespace py4cast {
namespace {

constexpr int64_t points = winograd_points, block = winograd_block;

// The transforms of a row of numbers: B^T of four of x, A of two of dy, A^T of four products, G of three
// weights, G^T of four sums. Tiles get them along both axes.
template <typename V>
PY4CAST_INLINE void of_input(V& a, V& b, V& c, V& d) {
  const V first = a - c, second = b + c, third = c - b;
  d = b - d;
  a = first;
  b = second;
  c = third;
}
template <typename V>
PY4CAST_INLINE void of_gradient(V a, V b, V (&to)[4]) {
  to[0] = a;
  to[1] = a + b;
  to[2] = a - b;
  to[3] = -b;
}
template <typename V>
PY4CAST_INLINE void to_output(V a, V b, V c, V d, V (&to)[2]) {
  to[0] = a + (b + c);
  to[1] = (b - c) - d;
}
template <typename V>
PY4CAST_INLINE void of_weight(V a, V b, V c, V (&to)[4]) {
  const V half = (a + c) * V(0.5), middle = b * V(0.5);
  to[0] = a;
  to[1] = half + middle;
  to[2] = half - middle;
  to[3] = c;
}
template <typename V>
PY4CAST_INLINE void to_weight(V a, V b, V c, V d, V (&to)[3]) {
  const V half = (b + c) * V(0.5);
  to[0] = a + half;
  to[1] = (b - c) * V(0.5);
  to[2] = half + d;
}

// Where a tile of results begins.
struct Place {
  int64_t image, at[2];

  PY4CAST_INLINE Place(const WinogradSizes& s, int64_t tile) {
    at[1] = tile % s.tiles(1) * 2;
    at[0] = tile / s.tiles(1) % s.tiles(0) * 2;
    image = tile / s.tiles(1) / s.tiles(0);
  }
  PY4CAST_INLINE void advance(const WinogradSizes& s) {
    if ((at[1] += 2) < s.out_size[1]) return;
    at[1] = 0;
    if ((at[0] += 2) < s.out_size[0]) return;
    at[0] = 0;
    ++image;
  }
};

// The pixels of `size` x `size` from `at` on; `outside` where there is none.
template <int size, typename T>
PY4CAST_INLINE void pixels_at(T* image, const int64_t (&shape)[2], int64_t row, int64_t column,
                              int64_t channels, T* outside, T* (&to)[size][size]) {
  for (int i = 0; i < size; ++i)
    for (int j = 0; j < size; ++j)
      to[i][j] = inside(row + i, shape[0]) && inside(column + j, shape[1])
                     ? image + ((row + i) * shape[1] + column + j) * channels
                     : outside;
}

// f(channel, read) for each vector of channels; read(from): its numbers, with zeros behind the last channel.
template <typename T, typename F>
PY4CAST_INLINE void for_channels(int64_t channels, F&& f) {
  int64_t i = 0;
  for (; i + lanes<T> <= channels; i += lanes<T>)
    f(i, [=](const T* from) { return load(from + i); });
  if (i < channels) f(i, [=](const T* from) { return load_first(from + i, channels - i); });
}

// `count` tiles of x from `tile` on, transformed: rows [points, tiles], the points `stride` apart.
template <typename T>
PY4CAST_INLINE void transform_inputs(const WinogradSizes& s, View<const T> x, const T* zeros,
                                     int64_t tile, int64_t count, int64_t stride, Compute<T>* to) {
  const int64_t row = packed_columns(s.in), pixels = s.in_size[0] * s.in_size[1];
  Place place(s, tile);
  for (int64_t t = 0; t < count; ++t, place.advance(s)) {
    const T* from[4][4];
    pixels_at(x.data + place.image * pixels * s.in, s.in_size, place.at[0] + s.first[0],
              place.at[1] + s.first[1], s.in, zeros, from);
    for_channels<T>(s.in, [&](int64_t channel, auto&& read) {
      Vector<T> d[4][4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) d[i][j] = read(from[i][j]);
        of_input(d[0][j], d[1][j], d[2][j], d[3][j]);
      }
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        of_input(d[i][0], d[i][1], d[i][2], d[i][3]);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) store(to + (4 * i + j) * stride + t * row + channel, d[i][j]);
      }
    });
  }
}
// The same of dy.
template <typename T>
PY4CAST_INLINE void transform_gradients(const WinogradSizes& s, View<const T> dy, const T* zeros,
                                        int64_t tile, int64_t count, int64_t stride,
                                        Compute<T>* to) {
  const int64_t row = packed_columns(s.out), pixels = s.out_size[0] * s.out_size[1];
  Place place(s, tile);
  for (int64_t t = 0; t < count; ++t, place.advance(s)) {
    const T* from[2][2];
    pixels_at(dy.data + place.image * pixels * s.out, s.out_size, place.at[0], place.at[1], s.out,
              zeros, from);
    for_channels<T>(s.out, [&](int64_t channel, auto&& read) {
      Vector<T> columns[2][4], d[4];
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) of_gradient(read(from[0][j]), read(from[1][j]), columns[j]);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        of_gradient(columns[0][i], columns[1][i], d);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) store(to + (4 * i + j) * stride + t * row + channel, d[j]);
      }
    });
  }
}

// The products of a block's tiles with a panel of columns, at all points.
template <int vectors, typename T>
PY4CAST_INLINE void multiply(const T* tiles, int64_t count, int64_t depth, const T* panel,
                             T* products) {
  constexpr int64_t width = vectors * lanes<T>, step = Tile<vectors>::rows;
  const int64_t row = packed_columns(depth);
  for (int64_t n = 0; n < points; ++n)
    for (int64_t t = 0; t < count; t += step) {
      Vector<T> sum[step][vectors] = {};
      multiply_tile<step, vectors, T, T>(tiles + n * winograd_stride(block * row) + t * row, row, 1,
                                         panel + n * depth * width, width, depth, sum);
#pragma GCC unroll 12
      for (int r = 0; r < step; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v)
          store(products + n * winograd_stride(block * width) + (t + r) * width + v * lanes<T>,
                sum[r][v]);
    }
}

// Results of a block's tiles, plus a bias, in `used` columns of y from `column` on.
template <int vectors, typename T>
PY4CAST_INLINE void transform_outputs(const WinogradSizes& s, const Compute<T>* products,
                                      const Compute<T>* bias, int64_t tile, int64_t count,
                                      int64_t column, int64_t used, View<T> y) {
  constexpr int64_t width = vectors * lanes<T>;
  const int64_t pixels = s.out_size[0] * s.out_size[1];
  Place place(s, tile);
  for (int64_t t = 0; t < count; ++t, place.advance(s)) {
    T* to[2][2];
    pixels_at<2, T>(y.data + place.image * pixels * s.out + column, s.out_size, place.at[0],
                    place.at[1], s.out, nullptr, to);
    for (int64_t c = 0; c < used; c += lanes<T>) {
      Vector<T> rows[4][2], results[2];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const auto at = [&](int i) {
          return load(products + (4 * i + j) * winograd_stride(block * width) + t * width + c);
        };
        to_output(at(0), at(1), at(2), at(3), rows[j]);
      }
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        to_output(rows[0][i], rows[1][i], rows[2][i], rows[3][i], results);
#pragma GCC unroll 2
        for (int j = 0; j < 2; ++j) {
          if (!to[i][j]) continue;
          const Vector<T> result = results[j] + load(bias + c);
          if (used - c >= lanes<T>)
            store(to[i][j] + c, result);
          else
            store_first(to[i][j] + c, result, used - c);
        }
      }
    }
  }
}

}  // namespace

template <typename T>
void WinogradWeights<T>::run(Level) const {
  using Number = Compute<T>;
  const WinogradSizes& s = sizes;
  const int64_t columns = packed_columns(s.out);
#pragma omp parallel for schedule(static) if (s.in * s.out > 4096)
  for (int64_t i = 0; i < s.in; ++i)
    for_column_tiles<T>(s.out, [&](auto tile, int64_t column) {
      constexpr int64_t width = decltype(tile)::vectors * lanes<T>;
      Number* const to = packed.data + points * s.in * column + i * width;
      Number weights[9][width];
      for (int64_t k = 0; k < 9; ++k) {
        const Number* const from = weight.data + (transposed ? 8 - k : k) * s.in * s.out;
        for (int64_t c = 0; c < width; ++c)
          weights[k][c] = column + c >= s.out
                              ? Number(0)
                              : widen(narrow<T>(transposed ? from[(column + c) * s.in + i]
                                                           : from[i * s.out + column + c]));
      }
#pragma omp simd
      for (int64_t c = 0; c < width; ++c) {
        Number columns_of[3][4], row[4];
        for (int j = 0; j < 3; ++j)
          of_weight(weights[j][c], weights[3 + j][c], weights[6 + j][c], columns_of[j]);
        for (int n = 0; n < 4; ++n) {
          of_weight(columns_of[0][n], columns_of[1][n], columns_of[2][n], row);
          for (int j = 0; j < 4; ++j) to[(4 * n + j) * s.in * width + c] = row[j];
        }
      }
    });
  Number* const start = packed.data + points * s.in * columns;
  for (int64_t o = 0; o < columns; ++o) start[o] = bias.size && o < s.out ? bias[o] : Number(0);
  for (int64_t i = 0; i < packed_columns(s.in); ++i) start[columns + i] = 0;
}

template <typename T>
void WinogradProduct<T>::run(Level) const {
  using Number = Compute<T>;
  const WinogradSizes& s = sizes;
  const int64_t tiles = s.tiles(), blocks = (tiles + block - 1) / block, parts = winograd_parts(s);
  const Number* const bias = packed.data + points * s.in * packed_columns(s.out);
  const auto* const zeros = reinterpret_cast<const T*>(bias + packed_columns(s.out));
#pragma omp parallel for schedule(static) if (parts > 1)
  for (int64_t part = 0; part < parts; ++part) {
    Number* const transformed = scratch.data + part * winograd_tiles_size(s);
    alignas(64) Number products[points * winograd_stride(block * widest_tile * lanes<T>)];
    for (int64_t b = chunk_begin(blocks, parts, part); b < chunk_begin(blocks, parts, part + 1);
         ++b) {
      const int64_t tile = b * block, count = smaller(block, tiles - tile);
      transform_inputs(s, x, zeros, tile, count, winograd_stride(block * packed_columns(s.in)),
                       transformed);
      for_column_tiles<T>(s.out, [&](auto shape, int64_t column) {
        constexpr int vectors = decltype(shape)::vectors;
        multiply<vectors>(transformed, count, s.in, packed.data + points * s.in * column, products);
        transform_outputs<vectors, T>(s, products, bias + column, tile, count, column,
                                      smaller<int64_t>(vectors * lanes<T>, s.out - column), y);
      });
    }
  }
}

template <typename T>
void WinogradWeightGradient<T>::run(Level) const {
  // Tiles and input channels whose products are added at a time stay in the first cache.
  constexpr int64_t slice = 60;
  using Number = Compute<T>;
  const WinogradSizes& s = sizes;
  const int64_t tiles = s.tiles(), most = winograd_summed(s);
  const int64_t in = packed_columns(s.in), out = packed_columns(s.out);
  constexpr int64_t wide = widest_tile * lanes<T>;
  const int64_t slices = (s.in + slice - 1) / slice, wides = (s.out + wide - 1) / wide;
  Number* const inputs = scratch.data;
  const int64_t in_stride = winograd_stride(most * in), out_stride = winograd_stride(most * out);
  Number* const gradients = inputs + points * in_stride;
  Number* const sums = gradients + points * out_stride;
  Number* const rest = sums + points * in * out;
  for (int64_t i = 0; i < larger(in, out); ++i) rest[i] = 0;
  const auto* const zeros = reinterpret_cast<const T*>(rest);
#pragma omp parallel for schedule(static) if (in * out > 4096)
  for (int64_t i = 0; i < points * in * out; ++i) sums[i] = 0;
  for (int64_t first = 0; first < tiles; first += most) {
    const int64_t count = smaller(most, tiles - first), blocks = (count + block - 1) / block;
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t t = b * block, here = smaller(block, count - t);
      transform_inputs(s, x, zeros, first + t, here, in_stride, inputs + t * in);
      transform_gradients(s, dy, zeros, first + t, here, out_stride, gradients + t * out);
    }
#pragma omp parallel for collapse(3) schedule(static)
    for (int64_t n = 0; n < points; ++n)
      for (int64_t w = 0; w < wides; ++w)
        for (int64_t part = 0; part < slices; ++part)
          for (int64_t t = 0; t < count; t += block)
            for_column_tiles<T>(smaller(wide, s.out - w * wide), [&](auto shape, int64_t column) {
              constexpr int vectors = decltype(shape)::vectors;
              const int64_t depth = smaller(block, count - t), o = w * wide + column;
              const int64_t end = smaller(s.in, (part + 1) * slice);
              int64_t i = part * slice;
              const auto add = [&]<int step>(Step<step>) {
                for (; i + step <= end; i += step)
                  add_tile<step, vectors>(inputs + n * in_stride + t * in + i, 1, in,
                                          gradients + n * out_stride + t * out + o, out, depth,
                                          sums + (n * in + i) * out + o, out);
              };
              add(Step<decltype(shape)::rows>{});
              add(Step<4>{});
              add(Step<1>{});
            });
  }
#pragma omp parallel for schedule(static) if (s.in * s.out > 4096)
  for (int64_t i = 0; i < s.in; ++i)
#pragma omp simd
    for (int64_t o = 0; o < s.out; ++o) {
      Number columns[4][3], row[3];
      const auto at = [&](int n, int j) { return sums[((4 * n + j) * in + i) * out + o]; };
      for (int j = 0; j < 4; ++j) to_weight(at(0, j), at(1, j), at(2, j), at(3, j), columns[j]);
      for (int k = 0; k < 3; ++k) {
        to_weight(columns[0][k], columns[1][k], columns[2][k], columns[3][k], row);
        for (int j = 0; j < 3; ++j) dweight[((3 * k + j) * s.in + i) * s.out + o] = row[j];
      }
    }
}

PY4CAST_KERNEL(WinogradWeights)
PY4CAST_KERNEL(WinogradProduct)
PY4CAST_KERNEL(WinogradWeightGradient)

}  // namespace py4cast
