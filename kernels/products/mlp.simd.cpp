#include "kernels/common/simd.h"
#include "kernels/ops/activation_math.h"
#include "kernels/products/linear_tile.h"
#include "kernels/products/mlp_kernels.h"

namespace py4cast {
namespace {

// Rows that are taken through all layers together, in the first two caches: a multiple of the rows
// of every tile. A row takes the columns that are packed, and is as far from the next one.
constexpr int64_t tile_rows = 48;
template <typename T>
struct alignas(64) TileRows {
  T values[tile_rows * mlp_width];
  // Rows beyond those that are used go through products, too.
  PY4CAST_INLINE explicit TileRows(int64_t row) {
    for (int64_t i = 0; i < tile_rows * row; ++i) values[i] = 0;
  }
};

// f(sample, first result, last, first row, last) for the parts of a chunk that lie in one sample.
template <typename F>
PY4CAST_INLINE void for_parts(const MlpSizes& sizes, const int32_t* offsets, int64_t chunk, F&& f) {
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
PY4CAST_INLINE void add_both(const T* a, const T* b, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] = to[i] + a[i] + b[i];
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
PY4CAST_INLINE void activate_row(int64_t size, T* z) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) z[i] = activated<Activation::silu>(z[i]);
}
// For the backward pass the slope, too: z becomes it, and the logistic function is taken once.
template <typename T>
PY4CAST_INLINE void activate_row_with_slope(T* z, int64_t size, T* h) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    const T gate = logistic(z[i]), value = z[i] * gate;
    h[i] = value;
    z[i] = gate + value * (1 - gate);
  }
}
template <typename T>
PY4CAST_INLINE void multiply_row(const T* factors, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] *= factors[i];
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

// The number of the `place`-th row: edges are taken in the order of their receivers.
template <typename Kernel>
PY4CAST_INLINE int64_t row_at(const Kernel& k, int64_t place) {
  return k.order.size ? k.order[place] : place;
}

// What `count` rows from `place` on bring to the activation, in z. Those of x stay in `rows` if there is
// a first layer.
template <typename T, typename Kernel>
PY4CAST_INLINE void read_rows(const Kernel& k, int64_t sample, int64_t place, int64_t count,
                              const T* packed, T* rows, T* z) {
  const int64_t hidden = k.sizes.hidden, features = k.sizes.features();
  const int64_t pitch = packed_columns(features), z_row = packed_columns(hidden);
  T* const to = k.sizes.in ? rows : z;
  for (int64_t i = 0; i < count; ++i)
    copy_row(k.x.data + (sample * k.sizes.rows + row_at(k, place + i)) * features, features,
             to + i * pitch);
  if (k.sizes.in) multiply_rows(rows, count, features, hidden, packed, z);
  if (!k.sizes.nodes) return;
  const T* const senders = k.senders.data + sample * (k.senders.size / k.sizes.batch);
  const T* const receivers = k.receivers.data + sample * k.sizes.nodes * hidden;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t edge = row_at(k, place + i);
    add_both(senders + k.from[edge] * hidden, receivers + k.to[edge] * hidden, hidden,
             z + i * z_row);
  }
}

template <typename T>
PY4CAST_INLINE T mean_factor(bool mean, const int32_t* offsets, int64_t node) {
  return mean ? 1 / static_cast<T>(offsets[node + 1] - offsets[node]) : T(1);
}

// Gradients of a matrix or a row that the chunks have summed up separately, at `offset` of each.
template <typename T, typename Kernel>
PY4CAST_INLINE void add_chunks(const Kernel& k, int64_t offset, int64_t rows, int64_t columns,
                               const View<T>& to) {
  if (!to.size) return;
  const int64_t chunks = k.sizes.chunks(), pitch = packed_columns(columns);
#pragma omp parallel for schedule(static) if (chunks * rows * columns > 65536)
  for (int64_t i = 0; i < rows; ++i) {
    T* const total = to.data + i * columns;
    for (int64_t o = 0; o < columns; ++o) total[o] = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      add_row(k.partial.data + chunk * k.sizes.gradients() + offset + i * pitch, T(1), columns,
              total);
  }
}

}  // namespace

template <typename T>
void MlpForward<T>::run(Level) const {
  const int64_t hidden = sizes.hidden, out = sizes.out, chunks = sizes.chunks();
  const int64_t h_row = packed_columns(hidden), m_row = packed_columns(out);
  T* const packed_last = packed.data + sizes.packed_first();
  if (sizes.in) pack_panels(first.data, false, first_bias.data, sizes.in, hidden, packed.data);
  pack_panels(last.data, false, last_bias.data, hidden, out, packed_last);
#pragma omp parallel for schedule(dynamic)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    // Of what comes in, then of messages; of the hidden layer.
    TileRows<T> outer(larger(packed_columns(sizes.features()), m_row)), h(h_row);
    for_parts(
        sizes, offsets.data, chunk,
        [&](int64_t sample, int64_t first_result, int64_t last_result, int64_t row, int64_t end) {
          T* const results = y.data + sample * sizes.results() * out;
          if (sizes.nodes)
            for (int64_t i = first_result * out; i < last_result * out; ++i) results[i] = 0;
          for (; row < end; row += tile_rows) {
            const int64_t count = smaller(tile_rows, end - row);
            read_rows(*this, sample, row, count, packed.data, outer.values, h.values);
            for (int64_t i = 0; i < count; ++i) activate_row(hidden, h.values + i * h_row);
            multiply_rows(h.values, count, hidden, out, packed_last, outer.values);
            for (int64_t i = 0; i < count; ++i) {
              T* const message = outer.values + i * m_row;
              if (gamma.size) normalise_row(gamma.data, beta.data, out, epsilon, message);
              if (!sizes.nodes) {
                copy_row(message, out, results + (row + i) * out);
                continue;
              }
              const int64_t node = to[row_at(*this, row + i)];
              add_row(message, mean_factor<T>(mean, offsets.data, node), out, results + node * out);
            }
          }
        });
  }
}

template <typename T>
void MlpBackward<T>::run(Level) const {
  const int64_t in = sizes.in, hidden = sizes.hidden, out = sizes.out, chunks = sizes.chunks();
  const int64_t x_row = packed_columns(in), h_row = packed_columns(hidden),
                m_row = packed_columns(out);
  T* const packed_last = packed.data + sizes.packed_first();
  T* const last_transpose = packed.data + sizes.packed_forward();
  T* const first_transpose = last_transpose + sizes.packed(out, hidden);
  if (in) {
    pack_panels(first.data, false, first_bias.data, in, hidden, packed.data);
    pack_panels<T>(first.data, true, nullptr, hidden, in, first_transpose);
  }
  pack_panels(last.data, false, last_bias.data, hidden, out, packed_last);
  pack_panels<T>(last.data, true, nullptr, out, hidden, last_transpose);
#pragma omp parallel for schedule(dynamic)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    T* const sums = partial.data + chunk * sizes.gradients();
    for (int64_t i = 0; i < sizes.gradients(); ++i) sums[i] = 0;
    T* const bias_sums = sums + hidden * m_row;
    T* const gamma_sums = bias_sums + m_row;
    T* const beta_sums = gamma_sums + m_row;
    T* const first_sums = sums + sizes.last_gradients();
    TileRows<T> x_rows(x_row), z(h_row), h(larger(h_row, x_row)), m(m_row);
    for_parts(
        sizes, offsets.data, chunk,
        [&](int64_t sample, int64_t first_result, int64_t last_result, int64_t row, int64_t end) {
          const T* const slopes = dy.data + sample * sizes.results() * out;
          T* const node_rows = dreceivers.data + sample * sizes.nodes * hidden;
          if (dreceivers.size)
            for (int64_t i = first_result * hidden; i < last_result * hidden; ++i) node_rows[i] = 0;
          for (; row < end; row += tile_rows) {
            const int64_t count = smaller(tile_rows, end - row);
            read_rows(*this, sample, row, count, packed.data, x_rows.values, z.values);
            for (int64_t i = 0; i < count; ++i)
              activate_row_with_slope(z.values + i * h_row, hidden, h.values + i * h_row);
            if (gamma.size) multiply_rows(h.values, count, hidden, out, packed_last, m.values);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = row_at(*this, row + i), result = sizes.nodes ? to[edge] : edge;
              const T factor = sizes.nodes ? mean_factor<T>(mean, offsets.data, result) : T(1);
              T* const dm = m.values + i * m_row;
              if (gamma.size) {
                norm_gradient_row(slopes + result * out, factor, gamma.data, out, epsilon, dm,
                                  gamma_sums, beta_sums);
              } else {
                for (int64_t c = 0; c < out; ++c) dm[c] = factor * slopes[result * out + c];
              }
              add_row(dm, T(1), out, bias_sums);
            }
            add_weight_gradient(h.values, m.values, count, hidden, out, sums);
            multiply_rows(m.values, count, out, hidden, last_transpose, h.values);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = row_at(*this, row + i);
              T* const gradient = z.values + i * h_row;
              multiply_row(h.values + i * h_row, hidden, gradient);
              if (dz.size)
                copy_row(gradient, hidden, dz.data + (sample * sizes.rows + edge) * hidden);
              if (dreceivers.size) add_row(gradient, T(1), hidden, node_rows + to[edge] * hidden);
              if (in) add_row(gradient, T(1), hidden, first_sums + in * h_row);
            }
            if (!in) continue;
            add_weight_gradient(x_rows.values, z.values, count, in, hidden, first_sums);
            if (!dx.size) continue;
            multiply_rows(z.values, count, hidden, in, first_transpose, h.values);
            for (int64_t i = 0; i < count; ++i)
              copy_row(h.values + i * x_row, in,
                       dx.data + (sample * sizes.rows + row_at(*this, row + i)) * in);
          }
        });
  }
  add_chunks(*this, 0, hidden, out, dlast);
  add_chunks(*this, hidden * m_row, 1, out, dlast_bias);
  add_chunks(*this, (hidden + 1) * m_row, 1, out, dgamma);
  add_chunks(*this, (hidden + 2) * m_row, 1, out, dbeta);
  add_chunks(*this, sizes.last_gradients(), in, hidden, dfirst);
  add_chunks(*this, sizes.last_gradients() + in * h_row, 1, hidden, dfirst_bias);
}

template struct MlpForward<float>;
template struct MlpForward<double>;
template struct MlpBackward<float>;
template struct MlpBackward<double>;

}  // namespace py4cast
