#include "kernels/products/convolution_weight_tiles.h"

namespace py4cast {
namespace {

// First and last (exclusive) pixel of [begin, end) for which begin * step + offset is in [0, size).
PY4CAST_INLINE void clip(int64_t& begin, int64_t& end, int64_t step, int64_t offset, int64_t size) {
  while (begin < end && begin * step + offset < 0) ++begin;
  while (begin < end && (end - 1) * step + offset >= size) --end;
}

template <int V, typename T>
PY4CAST_INLINE void weight_row(const Correlation& c, View<const T> x, View<const T> dy, int64_t row,
                               int64_t group, int64_t column, int64_t first_tap, int64_t last_tap,
                               T* sums) {
  constexpr int width = V * lanes<T>;
  const int64_t depth = c.in_channels / c.groups, out = c.out_channels / c.groups;
  const int64_t valid = smaller<int64_t>(width, out - column);
  const int64_t first = group * out + column;
  const bool copy =
      c.out_channels != width;  // rows of dy side by side: no cache conflicts, no tails
  alignas(vector_bytes) T rows[piece_pixels * width];
  if (copy && valid < width)
    for (T& element : rows) element = 0;
  for (int64_t begin = 0; begin < c.out[2]; begin += piece_pixels) {
    const int64_t end = smaller(c.out[2], begin + piece_pixels);
    const T* g = dy.data + (row * c.out[2] + begin) * c.out_channels + first;
    if (copy) {
      for (int64_t p = 0; p < end - begin; ++p)
#pragma omp simd
        for (int64_t o = 0; o < valid; ++o) rows[p * width + o] = g[p * c.out_channels + o];
      g = rows;
    }
    const int64_t calls = (last_tap - first_tap) * depth / Tile<V>::rows, pixels = end - begin;
    Ahead next_dy(dy.data + (row * c.out[2] + end) * c.out_channels, pixels * c.out_channels,
                  calls);
    Ahead next_x(x.data + newest_row(c, row, last_tap) + end * c.in_step[2] * c.in_channels,
                 pixels * c.in_step[2] * c.in_channels, calls);
    for (int64_t t = first_tap; t < last_tap; ++t) {
      const Tap& tap = c.taps[t];
      const int64_t from = source_row(c, row, tap);
      int64_t a = begin, b = end;
      clip(a, b, c.in_step[2], tap.offset[2], c.in[2]);
      if (from < 0 || a >= b) continue;
      all_channels<V, T>(
          x.data + (from * c.in[2] + a * c.in_step[2] + tap.offset[2]) * c.in_channels +
              group * depth,
          c.in_step[2] * c.in_channels, depth, g + (a - begin) * width, width, b - a,
          sums + tap.slab * depth * c.out_channels + first, c.out_channels, valid, [&] {
            next_x.fetch();
            next_dy.fetch();
          });
    }
  }
}

}  // namespace

template <typename T>
void ConvolutionWeightGradient<T>::run(Level) const {
  const int64_t rows = c.batch * c.out[0] * c.out[1];
  const int64_t chunks = weight_chunks(rows, c.out[2], dw.size);
  const int64_t out = c.out_channels / c.groups;
  constexpr int64_t wide = widest_tile * lanes<T>;
  const int64_t wides = (out + wide - 1) / wide;
  // Small problems are also divided by taps; that changes no sum.
  const int64_t parts = chunks * c.groups * wides < 16 ? c.taps.size : 1;
#pragma omp parallel for schedule(static) if (partial.size > 65536)
  for (int64_t i = 0; i < partial.size; ++i) partial[i] = 0;
#pragma omp parallel for collapse(4) schedule(static) if (c.large())
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (int64_t group = 0; group < c.groups; ++group)
      for (int64_t w = 0; w < wides; ++w)
        for (int64_t part = 0; part < parts; ++part) {
          const int64_t end = chunk_begin(rows, chunks, chunk + 1);
          for (int64_t row = chunk_begin(rows, chunks, chunk); row < end; ++row)
            for_column_tiles<T>(smaller(wide, out - w * wide), [&](auto tile, int64_t column) {
              weight_row<decltype(tile)::vectors, T>(
                  c, x, dy, row, group, w * wide + column, chunk_begin(c.taps.size, parts, part),
                  chunk_begin(c.taps.size, parts, part + 1), partial.data + chunk * dw.size);
            });
        }
  if (chunks > 1) add_in_order(View<const T>{partial.data, partial.size}, chunks, dw);
}

template <typename T>
void DepthwiseProduct<T>::run(Level) const {
  constexpr int64_t block = 64;  // channels whose sums are in the first-level cache
  const int64_t rows = c.batch * c.out[0] * c.out[1], channels = c.in_channels;
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t h = row % c.out[1] * c.out_step[1] + c.out_first[1];
    const int64_t d = row / c.out[1] % c.out[0] * c.out_step[0] + c.out_first[0];
    T* const out =
        y.data + (((row / c.out[1] / c.out[0]) * c.out_size[0] + d) * c.out_size[1] + h) *
                     c.out_size[2] * channels;
    for (int64_t w = 0; w < c.out[2]; ++w) {
      for (int64_t first = 0; first < channels; first += block) {
        const int64_t count = smaller(block, channels - first);
        Compute<T> sums[block];
        for (int64_t i = 0; i < count; ++i) sums[i] = bias.size ? bias[first + i] : Compute<T>(0);
        for (int64_t t = 0; t < c.taps.size; ++t) {
          const Tap& tap = c.taps[t];
          const int64_t from = source_row(c, row, tap), at = w * c.in_step[2] + tap.offset[2];
          if (from < 0 || !inside(at, c.in[2])) continue;
          const T* const in = x.data + (from * c.in[2] + at) * channels + first;
          const Compute<T>* const factors = weight.data + tap.slab * channels + first;
#pragma omp simd
          for (int64_t i = 0; i < count; ++i) sums[i] += widen(in[i]) * factors[i];
        }
        T* const pixel = out + (w * c.out_step[2] + c.out_first[2]) * channels + first;
#pragma omp simd
        for (int64_t i = 0; i < count; ++i) pixel[i] = narrow<T>(sums[i]);
      }
    }
  }
}

template <typename T>
void DepthwiseWeightGradient<T>::run(Level) const {
  const int64_t rows = c.batch * c.out[0] * c.out[1], channels = c.in_channels;
  const int64_t chunks = weight_chunks(rows, c.out[2], dw.size);
#pragma omp parallel for schedule(static)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    Compute<T>* const sums = partial.data + chunk * dw.size;
    for (int64_t i = 0; i < dw.size; ++i) sums[i] = 0;
    const int64_t end = chunk_begin(rows, chunks, chunk + 1);
    for (int64_t row = chunk_begin(rows, chunks, chunk); row < end; ++row)
      for (int64_t t = 0; t < c.taps.size; ++t) {
        const Tap& tap = c.taps[t];
        const int64_t from = source_row(c, row, tap);
        int64_t a = 0, b = c.out[2];
        clip(a, b, c.in_step[2], tap.offset[2], c.in[2]);
        if (from < 0) continue;
        Compute<T>* const total = sums + tap.slab * channels;
        for (int64_t w = a; w < b; ++w) {
          const T* const in =
              x.data + (from * c.in[2] + w * c.in_step[2] + tap.offset[2]) * channels;
          const T* const g = dy.data + (row * c.out[2] + w) * channels;
#pragma omp simd
          for (int64_t i = 0; i < channels; ++i) total[i] += widen(in[i]) * widen(g[i]);
        }
      }
  }
  if (chunks > 1) add_in_order(View<const Compute<T>>{partial.data, partial.size}, chunks, dw);
}

template struct ConvolutionWeightGradient<float>;
template struct ConvolutionWeightGradient<double>;
PY4CAST_KERNEL(DepthwiseProduct)
PY4CAST_KERNEL(DepthwiseWeightGradient)

}  // namespace py4cast
