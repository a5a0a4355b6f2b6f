// Passes over [rows, channels]: a few vectors of columns keep their factors in registers while a
// block of rows goes by.
#include "kernels/common/vector.h"
#include "kernels/ops/batch_norm_kernels.h"

namespace py4cast {
namespace {

constexpr int64_t block_rows = 32;

// Calls f(strip, first column, first row, last row) for blocks of rows and strips of columns.
template <typename T, typename F>
PY4CAST_INLINE void for_blocks(int64_t begin, int64_t end, int64_t channels, F&& f) {
  for (int64_t row = begin; row < end; row += block_rows)
    for_column_tiles<T>(channels, [&](auto tile, int64_t column) {
      constexpr int V = decltype(tile)::vectors;
      f(Strip<V, T>{smaller<int64_t>(V * lanes<T>, channels - column)}, column, row,
        smaller(end, row + block_rows));
    });
}

template <int V, typename C>
struct Factors {
  Vector<C> mean[V], inverse[V], scale[V], beta[V];
  PY4CAST_INLINE Factors(const Strip<V, C>& strip, const Columns<C>& columns, int64_t first) {
    strip.read(mean, columns.mean.data + first);
    strip.read(inverse, columns.inverse_deviation.data + first);
    strip.read(scale, columns.gamma.data + first);
    strip.read(beta, columns.beta.data + first);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) scale[v] *= inverse[v];
  }
  PY4CAST_INLINE Vector<C> normal(Vector<C> x, int v) const {
    return (x - mean[v]) * scale[v] + beta[v];
  }
  // The gradient before the activation.
  PY4CAST_INLINE Vector<C> masked(Vector<C> dy, Vector<C> x, int v, bool relu) const {
    return relu ? (normal(x, v) > 0 ? dy : Vector<C>{}) : dy;
  }
};

template <int V, typename T>
PY4CAST_INLINE void merge_block(const Strip<V, T>& strip, const T* x, int64_t channels,
                                int64_t rows, int64_t before, Compute<T>* mean,
                                Compute<T>* squares) {
  using C = Compute<T>;
  const Strip<V, C> wide{strip.valid};
  Vector<T> sum[V] = {}, square[V] = {}, value[V], m[V], s[V];
  for (int64_t r = 0; r < rows; ++r) {
    strip.read(value, x + r * channels);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) sum[v] += value[v];
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) sum[v] /= static_cast<C>(rows);
  for (int64_t r = 0; r < rows; ++r) {
    strip.read(value, x + r * channels);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) square[v] += (value[v] - sum[v]) * (value[v] - sum[v]);
  }
  wide.read(m, mean);
  wide.read(s, squares);
  const C share = static_cast<C>(rows) / static_cast<C>(before + rows);
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const Vector<T> delta = sum[v] - m[v];
    m[v] += delta * share;
    s[v] += square[v] + delta * delta * (static_cast<C>(before) * share);
  }
  wide.write(mean, m);
  wide.write(squares, s);
}

}  // namespace

template <typename T>
void BatchStatistics<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t channels = mean.size, rows = x.size / channels, chunks = chunk_count(rows);
#pragma omp parallel for schedule(static)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    C* const means = partial.data + chunk * channels;
    C* const squares = partial.data + (chunks + chunk) * channels;
    for (int64_t c = 0; c < channels; ++c) means[c] = squares[c] = 0;
    const int64_t begin = chunk_begin(rows, chunks, chunk);
    for_blocks<T>(begin, chunk_begin(rows, chunks, chunk + 1), channels,
                  [&](auto strip, int64_t column, int64_t row, int64_t end) {
                    merge_block(strip, x.data + row * channels + column, channels, end - row,
                                row - begin, means + column, squares + column);
                  });
  }
  for (int64_t c = 0; c < channels; ++c) {
    double count = 0, m = 0, s = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const double more = static_cast<double>(chunk_begin(rows, chunks, chunk + 1) -
                                              chunk_begin(rows, chunks, chunk));
      const double delta = static_cast<double>(partial[chunk * channels + c]) - m;
      m += delta * more / (count + more);
      s += static_cast<double>(partial[(chunks + chunk) * channels + c]) +
           delta * delta * count * more / (count + more);
      count += more;
    }
    mean[c] = static_cast<C>(m);
    inverse_deviation[c] =
        static_cast<C>(1 / square_root(s / count + static_cast<double>(epsilon)));
    variance[c] = static_cast<C>(s / (count - 1));
  }
}

template <typename C>
void InverseDeviation<C>::run(Level) const {
  for (int64_t c = 0; c < variance.size; ++c)
    inverse_deviation[c] = 1 / square_root(variance[c] + epsilon);
}

template <typename T>
void Normalize<T>::run(Level) const {
  const int64_t channels = columns.mean.size, rows = x.size / channels, chunks = chunk_count(rows);
#pragma omp parallel for schedule(static)
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for_blocks<T>(chunk_begin(rows, chunks, chunk), chunk_begin(rows, chunks, chunk + 1), channels,
                  [&]<int V>(Strip<V, T> strip, int64_t column, int64_t row, int64_t end) {
                    const Strip<V, Compute<T>> wide{strip.valid};
                    const Factors<V, Compute<T>> f(wide, columns, column);
                    for (; row < end; ++row) {
                      Vector<T> value[V];
                      strip.read(value, x.data + row * channels + column);
#pragma GCC unroll 4
                      for (int v = 0; v < V; ++v) {
                        value[v] = f.normal(value[v], v);
                        // As in max(z, 0) of the reference: not a number stays so.
                        if (relu) value[v] = value[v] <= 0 ? Vector<T>{} : value[v];
                      }
                      strip.write(y.data + row * channels + column, value);
                    }
                  });
}

template <typename T>
void BatchNormSums<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t channels = columns.mean.size, rows = x.size / channels, chunks = chunk_count(rows);
#pragma omp parallel for schedule(static)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    C* const gammas = partial.data + chunk * channels;
    C* const betas = partial.data + (chunks + chunk) * channels;
    for (int64_t c = 0; c < channels; ++c) gammas[c] = betas[c] = 0;
    for_blocks<T>(chunk_begin(rows, chunks, chunk), chunk_begin(rows, chunks, chunk + 1), channels,
                  [&]<int V>(Strip<V, T> strip, int64_t column, int64_t row, int64_t end) {
                    const Strip<V, Compute<T>> wide{strip.valid};
                    const Factors<V, Compute<T>> f(wide, columns, column);
                    Vector<T> g[V], in[V], product[V] = {}, sum[V] = {}, before[V];
                    for (; row < end; ++row) {
                      strip.read(g, dy.data + row * channels + column);
                      strip.read(in, x.data + row * channels + column);
#pragma GCC unroll 4
                      for (int v = 0; v < V; ++v) {
                        g[v] = f.masked(g[v], in[v], v, relu);
                        sum[v] += g[v];
                        product[v] += g[v] * (in[v] - f.mean[v]);
                      }
                    }
                    wide.read(before, gammas + column);
                    for (int v = 0; v < V; ++v) before[v] += product[v] * f.inverse[v];
                    wide.write(gammas + column, before);
                    wide.read(before, betas + column);
                    for (int v = 0; v < V; ++v) before[v] += sum[v];
                    wide.write(betas + column, before);
                  });
  }
  for (int64_t c = 0; c < channels; ++c) {
    double gamma_sum = 0, beta_sum = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      gamma_sum += static_cast<double>(partial[chunk * channels + c]);
      beta_sum += static_cast<double>(partial[(chunks + chunk) * channels + c]);
    }
    dgamma[c] = static_cast<C>(gamma_sum);
    dbeta[c] = static_cast<C>(beta_sum);
  }
}

template <typename T>
void BatchNormBackward<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t channels = columns.mean.size, rows = x.size / channels, chunks = chunk_count(rows);
  const C share = constants ? C(0) : 1 / static_cast<C>(rows);
#pragma omp parallel for schedule(static)
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for_blocks<T>(chunk_begin(rows, chunks, chunk), chunk_begin(rows, chunks, chunk + 1), channels,
                  [&]<int V>(Strip<V, T> strip, int64_t column, int64_t row, int64_t end) {
                    const Strip<V, Compute<T>> wide{strip.valid};
                    const Factors<V, Compute<T>> f(wide, columns, column);
                    Vector<T> g[V], in[V], slope[V], level_[V];
                    wide.read(slope, dgamma.data + column);
                    wide.read(level_, dbeta.data + column);
#pragma GCC unroll 4
                    for (int v = 0; v < V; ++v) {
                      slope[v] *= f.inverse[v] * share;
                      level_[v] *= share;
                    }
                    for (; row < end; ++row) {
                      strip.read(g, dy.data + row * channels + column);
                      strip.read(in, x.data + row * channels + column);
#pragma GCC unroll 4
                      for (int v = 0; v < V; ++v)
                        g[v] = f.scale[v] * (f.masked(g[v], in[v], v, relu) - level_[v] -
                                             (in[v] - f.mean[v]) * slope[v]);
                      strip.write(dx.data + row * channels + column, g);
                    }
                  });
}

PY4CAST_KERNEL(BatchStatistics)
PY4CAST_KERNEL(Normalize)
PY4CAST_KERNEL(BatchNormSums)
PY4CAST_KERNEL(BatchNormBackward)
template struct InverseDeviation<float>;
template struct InverseDeviation<double>;

}  // namespace py4cast
