#include <omp.h>

#include "kernels/products/linear_tile.h"
#include "kernels/products/winograd_kernels.h"

namespace py4cast {
namespace {

constexpr int64_t points = winograd_points;

// The transforms of a row of numbers (winograd.h); tiles get them along both axes. B^T of x:
struct OfInput {
  static constexpr int size = 4;
  template <typename V>
  PY4CAST_INLINE static void transform(const V (&x)[4], V (&to)[4]) {
    to[0] = x[0] - x[2];
    to[1] = x[1] + x[2];
    to[2] = x[2] - x[1];
    to[3] = x[1] - x[3];
  }
};
// A of dy.
struct OfGradient {
  static constexpr int size = 2;
  template <typename V>
  PY4CAST_INLINE static void transform(const V (&dy)[2], V (&to)[4]) {
    to[0] = dy[0];
    to[1] = dy[0] + dy[1];
    to[2] = dy[0] - dy[1];
    to[3] = -dy[1];
  }
};
// A^T of products, G of weights, G^T of sums of products.
template <typename V>
PY4CAST_INLINE void to_output(V a, V b, V c, V d, V (&to)[2]) {
  to[0] = a + (b + c);
  to[1] = (b - c) - d;
}
template <typename T>
PY4CAST_INLINE void of_weight(T a, T b, T c, T (&to)[4]) {
  const T half = (a + c) * T(0.5), middle = b * T(0.5);
  to[0] = a;
  to[1] = half + middle;
  to[2] = half - middle;
  to[3] = c;
}
template <typename T>
PY4CAST_INLINE void to_weight(T a, T b, T c, T d, T (&to)[3]) {
  const T half = (b + c) * T(0.5);
  to[0] = a + half;
  to[1] = (b - c) * T(0.5);
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

// Images [images, size, channels].
template <typename T>
struct Images {
  T* data;
  const int64_t (&size)[2];
  int64_t channels;

  // The pixels from (row, column) on; `outside` where there is none.
  template <int n>
  PY4CAST_INLINE void pixels(int64_t image, int64_t row, int64_t column, T* outside,
                             T* (&to)[n][n]) const {
    T* const first = data + image * size[0] * size[1] * channels;
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j)
        to[i][j] = inside(row + i, size[0]) && inside(column + j, size[1])
                       ? first + ((row + i) * size[1] + column + j) * channels
                       : outside;
  }
};

// `count` tiles from `tile` on, transformed: rows [points, tiles], the points `stride` apart. Pixels are
// counted from `first` of a tile's place.
template <typename Of, typename T>
PY4CAST_INLINE void transform_tiles(const WinogradSizes& s, const Images<const T>& images,
                                    const int64_t (&first)[2], const T* zeros, int64_t tile,
                                    int64_t count, int64_t stride, Compute<T>* to) {
  constexpr int size = Of::size;
  const int64_t row = packed_columns(images.channels);
  Place place(s, tile);
  for (int64_t t = 0; t < count; ++t, place.advance(s)) {
    const T* from[size][size];
    images.pixels(place.image, place.at[0] + first[0], place.at[1] + first[1], zeros, from);
    for_vectors<T>(images.channels, [&](int64_t channel, auto part) {
      Vector<T> numbers[size], columns[size][4], results[4];
#pragma GCC unroll 4
      for (int j = 0; j < size; ++j) {
#pragma GCC unroll 4
        for (int i = 0; i < size; ++i) numbers[i] = part.read(from[i][j] + channel);
        Of::transform(numbers, columns[j]);
      }
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < size; ++j) numbers[j] = columns[j][i];
        Of::transform(numbers, results);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j)
          store(to + (4 * i + j) * stride + t * row + channel, results[j]);
      }
    });
  }
}
template <typename T>
PY4CAST_INLINE void transform_inputs(const WinogradSizes& s, View<const T> x, const T* zeros,
                                     int64_t tile, int64_t count, int64_t stride, Compute<T>* to) {
  transform_tiles<OfInput>(s, Images<const T>{x.data, s.in_size, s.in}, s.first, zeros, tile, count,
                           stride, to);
}

// The products of a block's tiles with a panel of columns, at all points.
template <int vectors, typename T>
PY4CAST_INLINE void multiply(const T* tiles, int64_t block, int64_t count, int64_t depth,
                             const T* panel, T* products) {
  constexpr int64_t width = vectors * lanes<T>, step = Tile<vectors>::rows;
  const int64_t row = packed_columns(depth);
  for (int64_t n = 0; n < points; ++n)
    for (int64_t t = 0; t < count; t += step) {
      Vector<T> sum[step][vectors] = {};
      multiply_tile<step, vectors, T, T>(tiles + n * winograd_stride(block * row) + t * row, row, 1,
                                         panel + n * depth * width, width, depth, sum);
      T* const to = products + n * winograd_stride(block * width) + t * width;
#pragma GCC unroll 12
      for (int r = 0; r < step; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) store(to + r * width + v * lanes<T>, sum[r][v]);
    }
}

// Results of a block's tiles, plus a bias, in `used` columns of y from `column` on.
template <int vectors, typename T>
PY4CAST_INLINE void transform_outputs(const WinogradSizes& s, const Compute<T>* products,
                                      const Compute<T>* bias, int64_t block, int64_t tile,
                                      int64_t count, int64_t column, int64_t used, View<T> y) {
  constexpr int64_t width = vectors * lanes<T>;
  const int64_t stride = winograd_stride(block * width);
  const Images<T> images{y.data, s.out_size, s.out};
  Place place(s, tile);
  for (int64_t t = 0; t < count; ++t, place.advance(s)) {
    T* to[2][2];
    images.template pixels<2>(place.image, place.at[0], place.at[1], nullptr, to);
    for_vectors<T>(used, [&](int64_t c, auto part) {
      Vector<T> rows[4][2], results[2];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const auto at = [&](int i) {
          return load(products + (4 * i + j) * stride + t * width + c);
        };
        to_output(at(0), at(1), at(2), at(3), rows[j]);
      }
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        to_output(rows[0][i], rows[1][i], rows[2][i], rows[3][i], results);
#pragma GCC unroll 2
        for (int j = 0; j < 2; ++j)
          if (to[i][j]) part.write(to[i][j] + column + c, results[j] + load(bias + c));
      }
    });
  }
}

}  // namespace

template <typename T>
void WinogradWeights<T>::run(Level) const {
  using Number = Compute<T>;
  constexpr int64_t together = 16;  // input channels, so that memory is read and written in runs
  const WinogradSizes& s = sizes;
  const int64_t columns = packed_columns(s.out), parts = (s.in + together - 1) / together;
#pragma omp parallel for schedule(static) if (s.in * s.out > 4096)
  for (int64_t part = 0; part < parts; ++part)
    for_column_tiles<T>(s.out, [&](auto tile, int64_t column) {
      constexpr int64_t width = decltype(tile)::vectors * lanes<T>, size = together * width;
      const int64_t first = part * together, count = smaller(together, s.in - first);
      const int64_t used = smaller(width, s.out - column);
      alignas(64) Number weights[9][size] = {}, transformed[3][4][size];
      for (int64_t k = 0; k < 9; ++k) {
        const Number* const from = weight.data + (transposed ? 8 - k : k) * s.in * s.out;
        if (transposed)
          for (int64_t c = 0; c < used; ++c)
            for (int64_t i = 0; i < count; ++i)
              weights[k][i * width + c] = widen(narrow<T>(from[(column + c) * s.in + first + i]));
        else
          for (int64_t i = 0; i < count; ++i)
            for (int64_t c = 0; c < used; ++c)
              weights[k][i * width + c] = widen(narrow<T>(from[(first + i) * s.out + column + c]));
      }
      for (int j = 0; j < 3; ++j)
#pragma omp simd
        for (int64_t e = 0; e < size; ++e) {
          Number to[4];
          of_weight(weights[j][e], weights[3 + j][e], weights[6 + j][e], to);
          for (int n = 0; n < 4; ++n) transformed[j][n][e] = to[n];
        }
      for (int n = 0; n < 4; ++n) {
        Number* const to = packed.data + points * s.in * column + (4 * n * s.in + first) * width;
#pragma omp simd
        for (int64_t e = 0; e < count * width; ++e) {
          Number row[4];
          of_weight(transformed[0][n][e], transformed[1][n][e], transformed[2][n][e], row);
          for (int j = 0; j < 4; ++j) to[j * s.in * width + e] = row[j];
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
  const int64_t tiles = s.tiles(), blocks = s.blocks(block);
  const Number* const bias = packed.data + points * s.in * packed_columns(s.out);
  const auto* const zeros = reinterpret_cast<const T*>(bias + packed_columns(s.out));
#pragma omp parallel num_threads(threads)
  {
    Number* const transformed = scratch.data + omp_get_thread_num() * winograd_block_size(s, block);
    alignas(64)
        Number products[points * winograd_stride(winograd_most_block * widest_tile * lanes<T>)];
#pragma omp for schedule(dynamic)
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t tile = b * block, count = smaller(block, tiles - tile);
      transform_inputs(s, x, zeros, tile, count, winograd_stride(block * packed_columns(s.in)),
                       transformed);
      for_column_tiles<T>(s.out, [&](auto shape, int64_t column) {
        constexpr int vectors = decltype(shape)::vectors;
        multiply<vectors>(transformed, block, count, s.in, packed.data + points * s.in * column,
                          products);
        transform_outputs<vectors, T>(s, products, bias + column, block, tile, count, column,
                                      smaller<int64_t>(vectors * lanes<T>, s.out - column), y);
      });
    }
  }
}

template <typename T>
void WinogradWeightGradient<T>::run(Level) const {
  using Number = Compute<T>;
  constexpr int64_t slice = 60;        // input channels whose sums are in the first cache
  constexpr int64_t transformed = 12;  // tiles that a thread transforms
  constexpr int64_t wide = widest_tile * lanes<T>, depth = winograd_depth;
  const WinogradSizes& s = sizes;
  const int64_t tiles = s.tiles(), most = winograd_round(s);
  const int64_t in = packed_columns(s.in), out = packed_columns(s.out);
  const int64_t in_stride = winograd_stride(most * in), out_stride = winograd_stride(most * out);
  const int64_t slices = (s.in + slice - 1) / slice, wides = (s.out + wide - 1) / wide;
  Number* const inputs = scratch.data;
  Number* const gradients = inputs + points * in_stride;
  Number* const sums = gradients + points * out_stride;
  Number* const row_of_zeros = sums + points * in * out;
  for (int64_t i = 0; i < larger(in, out); ++i) row_of_zeros[i] = 0;
  const auto* const zeros = reinterpret_cast<const T*>(row_of_zeros);
  const Images<const T> images{dy.data, s.out_size, s.out};
#pragma omp parallel for schedule(static) if (in * out > 4096)
  for (int64_t i = 0; i < points * in * out; ++i) sums[i] = 0;
  for (int64_t first = 0; first < tiles; first += most) {
    const int64_t count = smaller(most, tiles - first);
#pragma omp parallel for schedule(static) if (s.large())
    for (int64_t t = 0; t < count; t += transformed) {
      const int64_t some = smaller(transformed, count - t);
      transform_inputs(s, x, zeros, first + t, some, in_stride, inputs + t * in);
      transform_tiles<OfGradient>(s, images, {0, 0}, zeros, first + t, some, out_stride,
                                  gradients + t * out);
    }
    // The sums of a round by themselves: errors do not grow with the number of tiles.
#pragma omp parallel for collapse(3) schedule(static) if (s.large())
    for (int64_t n = 0; n < points; ++n)
      for (int64_t w = 0; w < wides; ++w)
        for (int64_t part = 0; part < slices; ++part) {
          alignas(64) Number own[slice * wide] = {};
          const int64_t i_first = part * slice, i_count = smaller(slice, s.in - i_first);
          const int64_t o_first = w * wide, o_count = smaller(wide, s.out - o_first);
          for (int64_t t = 0; t < count; t += depth)
            for_column_tiles<T>(o_count, [&](auto shape, int64_t column) {
              const Number* const a = inputs + n * in_stride + t * in + i_first;
              const Number* const b = gradients + n * out_stride + t * out + o_first + column;
              constexpr int vectors = decltype(shape)::vectors;
              int64_t i = 0;
              const auto add = [&]<int rows>(Step<rows>) {
                for (; i + rows <= i_count; i += rows)
                  add_tile<rows, vectors>(a + i, 1, in, b, out, smaller(depth, count - t),
                                          own + i * wide + column, wide);
              };
              add(Step<decltype(shape)::rows>{});
              add(Step<4>{});
              add(Step<1>{});
            });
          for (int64_t i = 0; i < i_count; ++i) {
            Number* const to = sums + (n * in + i_first + i) * out + o_first;
#pragma omp simd
            for (int64_t o = 0; o < o_count; ++o) to[o] += own[i * wide + o];
          }
        }
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
