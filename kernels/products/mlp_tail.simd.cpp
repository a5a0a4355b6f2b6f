#include "kernels/common/simd.h"
#include "kernels/ops/activation_math.h"
#include "kernels/products/linear_tile.h"
#include "kernels/products/mlp_tail_kernels.h"

namespace py4cast {
namespace {

// Rows that are taken through all layers together, in the first two caches: a multiple of the rows
// of every tile.
constexpr int64_t tile_rows = 48;
template <typename T>
using TileBuffer = T[tile_rows * mlp_tail_width];

// f(sample, first result, last, first row, last) for the parts of a chunk that lie in one sample.
template <typename F>
PY4CAST_INLINE void for_parts(const MlpTailSizes& sizes, const int32_t* offsets, int64_t chunk,
                              F&& f) {
  const int64_t results = sizes.results(), chunks = sizes.chunks();
  const int64_t end = chunk_begin(sizes.batch * results, chunks, chunk + 1);
  for (int64_t i = chunk_begin(sizes.batch * results, chunks, chunk); i < end;) {
    const int64_t sample = i / results, first = i - sample * results;
    const int64_t last = smaller(results, first + end - i);
    f(sample, first, last, sizes.nodes ? offsets[first] : first,
      sizes.nodes ? offsets[last] : last);
    i += last - first;
  }
}

template <typename T>
PY4CAST_INLINE void add_three(const T* a, const T* b, const T* c, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] = a[i] + b[i] + c[i];
}
template <typename T>
PY4CAST_INLINE void copy_row(const T* from, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] = from[i];
}
template <typename T>
PY4CAST_INLINE void add_row(const T* from, T factor, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] += factor * from[i];
}
template <typename T>
PY4CAST_INLINE void activate_row(const T* x, int64_t size, T* h) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) h[i] = activated<Activation::silu>(x[i]);
}
// For the backward pass the slope, too: x becomes it, and the logistic function is taken once.
template <typename T>
PY4CAST_INLINE void activate_row_with_slope(T* x, int64_t size, T* h) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    const T gate = logistic(x[i]), value = x[i] * gate;
    h[i] = value;
    x[i] = gate + value * (1 - gate);
  }
}
template <typename T>
PY4CAST_INLINE void multiply_row(const T* a, const T* b, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] = a[i] * b[i];
}

template <typename T>
struct RowStatistics {
  T mean, inverse_deviation;
};
template <typename T>
PY4CAST_INLINE RowStatistics<T> row_statistics(const T* z, int64_t size, T epsilon) {
  T sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += z[i];
  const T mean = sum / static_cast<T>(size);
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < size; ++i) squares += (z[i] - mean) * (z[i] - mean);
  return {mean, 1 / square_root(squares / static_cast<T>(size) + epsilon)};
}
template <typename T>
PY4CAST_INLINE void normalise_row(const T* gamma, const T* beta, int64_t size, T epsilon, T* z) {
  const auto [mean, inverse] = row_statistics(z, size, epsilon);
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) z[i] = (z[i] - mean) * inverse * gamma[i] + beta[i];
}
// z becomes its own gradient; dy counts `factor` times.
template <typename T>
PY4CAST_INLINE void norm_gradient_row(const T* dy, T factor, const T* gamma, int64_t size,
                                      T epsilon, T* z, T* dgamma, T* dbeta) {
  const auto [mean, inverse] = row_statistics(z, size, epsilon);
  T sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
  for (int64_t i = 0; i < size; ++i) {
    const T scaled = factor * dy[i] * gamma[i];
    sum += scaled;
    product += scaled * ((z[i] - mean) * inverse);
  }
  sum /= static_cast<T>(size);
  product /= static_cast<T>(size);
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    const T h = (z[i] - mean) * inverse, g = factor * dy[i];
    dgamma[i] += g * h;
    dbeta[i] += g;
    z[i] = inverse * (g * gamma[i] - sum - h * product);
  }
}

// y [count, columns] = x [count, depth] times packed panels; rows are apart by the packed widths,
// and some more than `count` are computed, so that tiles are whole.
template <typename T>
PY4CAST_INLINE void multiply_rows(const T* x, int64_t count, int64_t depth, int64_t columns,
                                  const T* packed, T* y) {
  const int64_t x_row = packed_columns(depth), y_row = packed_columns(columns);
  for_column_tiles<T>(columns, [&](auto tile, int64_t column) {
    constexpr int vectors = decltype(tile)::vectors, step = decltype(tile)::rows;
    for (int64_t r = 0; r < count; r += step)
      linear_tile<step, vectors>(x + r * x_row, x_row, depth, packed + (depth + 1) * column, y_row,
                                 vectors * lanes<T>, y + r * y_row + column);
  });
}

// to [in, out] += transpose of x [count, in] times dy [count, out]
template <typename T>
PY4CAST_INLINE void add_weight_gradient(const T* x, const T* dy, int64_t count, int64_t in,
                                        int64_t out, T* to) {
  const int64_t x_row = packed_columns(in), pitch = packed_columns(out);
  for_column_tiles<T>(out, [&](auto tile, int64_t column) {
    constexpr int step = decltype(tile)::rows, vectors = decltype(tile)::vectors;
    int64_t i = 0;
    for (; i + step <= in; i += step)
      add_tile<step, vectors>(x + i, 1, x_row, dy + column, pitch, count, to + i * pitch + column,
                              pitch);
    for (; i + 4 <= in; i += 4)
      add_tile<4, vectors>(x + i, 1, x_row, dy + column, pitch, count, to + i * pitch + column,
                           pitch);
    for (; i < in; ++i)
      add_tile<1, vectors>(x + i, 1, x_row, dy + column, pitch, count, to + i * pitch + column,
                           pitch);
  });
}

// What comes in at row `row` of a sample, before the activation.
template <typename T, typename Kernel>
PY4CAST_INLINE void read_row(const Kernel& k, int64_t sample, int64_t row, T* to) {
  const int64_t hidden = k.sizes.hidden;
  const T* const x = k.x.data + (sample * k.sizes.rows + row) * hidden;
  if (!k.sizes.nodes) return copy_row(x, hidden, to);
  const T* const senders = k.senders.data + sample * (k.senders.size / k.sizes.batch);
  add_three(x, senders + k.from[row] * hidden,
            k.receivers.data + (sample * k.sizes.nodes + k.to[row]) * hidden, hidden, to);
}

template <typename T>
PY4CAST_INLINE T mean_factor(bool mean, const int32_t* offsets, int64_t node) {
  return mean ? 1 / static_cast<T>(offsets[node + 1] - offsets[node]) : T(1);
}

}  // namespace

template <typename T>
void MlpTailForward<T>::run(Level) const {
  const int64_t hidden = sizes.hidden, out = sizes.out, chunks = sizes.chunks();
  const int64_t h_row = packed_columns(hidden), z_row = packed_columns(out);
  pack_panels(weight.data, false, bias.data, hidden, out, packed.data);
#pragma omp parallel for schedule(dynamic)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    alignas(64) TileBuffer<T> h = {}, z;
    for_parts(sizes, offsets.data, chunk,
              [&](int64_t sample, int64_t first, int64_t last, int64_t row, int64_t end) {
                T* const results = y.data + sample * sizes.results() * out;
                if (sizes.nodes)
                  for (int64_t i = first * out; i < last * out; ++i) results[i] = 0;
                for (; row < end; row += tile_rows) {
                  const int64_t count = smaller(tile_rows, end - row);
                  for (int64_t i = 0; i < count; ++i) {
                    read_row(*this, sample, order.size ? order[row + i] : row + i, z);
                    activate_row(z, hidden, h + i * h_row);
                  }
                  multiply_rows(h, count, hidden, out, packed.data, z);
                  for (int64_t i = 0; i < count; ++i) {
                    T* const message = z + i * z_row;
                    if (gamma.size) normalise_row(gamma.data, beta.data, out, epsilon, message);
                    if (!sizes.nodes) {
                      copy_row(message, out, results + (row + i) * out);
                      continue;
                    }
                    const int64_t node = to[order.size ? order[row + i] : row + i];
                    add_row(message, mean_factor<T>(mean, offsets.data, node), out,
                            results + node * out);
                  }
                }
              });
  }
}

template <typename T>
void MlpTailBackward<T>::run(Level) const {
  const int64_t hidden = sizes.hidden, out = sizes.out, chunks = sizes.chunks();
  const int64_t h_row = packed_columns(hidden), z_row = packed_columns(out);
  T* const transpose = packed.data + sizes.packed();
  pack_panels(weight.data, false, bias.data, hidden, out, packed.data);
  pack_panels<T>(weight.data, true, nullptr, out, hidden, transpose);
#pragma omp parallel for schedule(dynamic)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    T* const sums = partial.data + chunk * sizes.gradients();
    for (int64_t i = 0; i < sizes.gradients(); ++i) sums[i] = 0;
    T* const bias_sums = sums + hidden * z_row;
    T* const gamma_sums = bias_sums + z_row;
    T* const beta_sums = gamma_sums + z_row;
    alignas(64) TileBuffer<T> slope, h = {}, z = {};
    for_parts(
        sizes, offsets.data, chunk,
        [&](int64_t sample, int64_t first, int64_t last, int64_t row, int64_t end) {
          const T* const slopes = dy.data + sample * sizes.results() * out;
          T* const dx_rows = dx.data + sample * sizes.rows * hidden;
          T* const node_rows = dreceivers.data + sample * sizes.nodes * hidden;
          if (dreceivers.size)
            for (int64_t i = first * hidden; i < last * hidden; ++i) node_rows[i] = 0;
          for (; row < end; row += tile_rows) {
            const int64_t count = smaller(tile_rows, end - row);
            for (int64_t i = 0; i < count; ++i) {
              read_row(*this, sample, order.size ? order[row + i] : row + i, slope + i * h_row);
              activate_row_with_slope(slope + i * h_row, hidden, h + i * h_row);
            }
            if (gamma.size) multiply_rows(h, count, hidden, out, packed.data, z);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = order.size ? order[row + i] : row + i;
              const int64_t result = sizes.nodes ? to[edge] : edge;
              const T factor = sizes.nodes ? mean_factor<T>(mean, offsets.data, result) : T(1);
              T* const dz = z + i * z_row;
              if (gamma.size) {
                norm_gradient_row(slopes + result * out, factor, gamma.data, out, epsilon, dz,
                                  gamma_sums, beta_sums);
              } else {
                for (int64_t c = 0; c < out; ++c) dz[c] = factor * slopes[result * out + c];
              }
              add_row(dz, T(1), out, bias_sums);
            }
            add_weight_gradient(h, z, count, hidden, out, sums);
            multiply_rows(z, count, out, hidden, transpose, h);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = order.size ? order[row + i] : row + i;
              T* const gradient = dx_rows + edge * hidden;
              multiply_row(slope + i * h_row, h + i * h_row, hidden, gradient);
              if (dreceivers.size) add_row(gradient, T(1), hidden, node_rows + to[edge] * hidden);
            }
          }
        });
  }
  const int64_t rows = hidden + 3;
#pragma omp parallel for schedule(static) if (chunks * rows * out > 65536)
  for (int64_t i = 0; i < rows; ++i) {
    const View<T> target = i < hidden        ? dweight
                           : i == hidden     ? dbias
                           : i == hidden + 1 ? dgamma
                                             : dbeta;
    if (!target.size) continue;
    T* const total = target.data + (i < hidden ? i * out : 0);
    for (int64_t o = 0; o < out; ++o) total[o] = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      add_row(partial.data + chunk * sizes.gradients() + i * z_row, T(1), out, total);
  }
}

template struct MlpTailForward<float>;
template struct MlpTailForward<double>;
template struct MlpTailBackward<float>;
template struct MlpTailBackward<double>;

}  // namespace py4cast
