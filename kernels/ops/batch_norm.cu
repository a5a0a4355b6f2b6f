#include "kernels/common/cuda_tile.h"
#include "kernels/ops/batch_norm_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = tile_threads;

// Merges a count, means and sums of squared deviations: {count, N means, N sums}.
struct Moments {
  template <int K, typename C>
  __device__ void operator()(C (&a)[K], const C (&b)[K]) const {
    constexpr int N = (K - 1) / 2;
    if (b[0] == 0) return;
    const C before = a[0], count = before + b[0], share = b[0] / count;
    for (int j = 1; j <= N; ++j) {
      const C delta = b[j] - a[j];
      a[j] += delta * share;
      a[N + j] += b[N + j] + delta * delta * (before * share);
    }
    a[0] = count;
  }
};

// Means and squared deviations of each chunk of rows (block x), one value at a time.
template <int N, typename T>
__global__ void __launch_bounds__(threads)
    chunk_statistics(ThreadTile tile, Global<const T> x, Global<Compute<T>> partial) {
  after_earlier_work();
  using C = Compute<T>;
  const int64_t chunks = gridDim.x, chunk = blockIdx.x, vector = tile.vector();
  C moments[2 * N + 1] = {};
  if (vector < tile.vectors) {
    const int64_t end = chunk_begin(tile.rows, chunks, chunk + 1);
    for (int64_t row = chunk_begin(tile.rows, chunks, chunk) + tile.row(); row < end;
         row += tile.steps()) {
      const auto in = load_vector<N>(x, (row * tile.vectors + vector) * N);
      moments[0] += 1;
      const C share = 1 / moments[0];
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const C value = widen<T>(in[j]), delta = value - moments[1 + j];
        moments[1 + j] += delta * share;
        moments[1 + N + j] += delta * (value - moments[1 + j]);
      }
    }
  }
  combine_rows(tile, moments, Moments{});
  if (tile.row() != 0 || vector >= tile.vectors) return;
  const int64_t channels = tile.vectors * N;
  for (int j = 0; j < N; ++j) {
    partial[chunk * channels + vector * N + j] = moments[1 + j];
    partial[(chunks + chunk) * channels + vector * N + j] = moments[1 + N + j];
  }
}

// The chunks' numbers merged, in double. The tile is of chunks x channels.
template <typename C>
__global__ void __launch_bounds__(threads)
    merge_chunks(ThreadTile tile, int64_t rows, Global<const C> partial, C epsilon, Global<C> mean,
                 Global<C> inverse_deviation, Global<C> variance) {
  after_earlier_work();
  const int64_t chunks = tile.rows, channels = tile.vectors, c = tile.vector();
  double moments[3] = {};
  if (c < channels)
    for (int64_t chunk = tile.row(); chunk < chunks; chunk += tile.steps()) {
      const double more[3] = {static_cast<double>(chunk_begin(rows, chunks, chunk + 1) -
                                                  chunk_begin(rows, chunks, chunk)),
                              static_cast<double>(partial[chunk * channels + c]),
                              static_cast<double>(partial[(chunks + chunk) * channels + c])};
      Moments{}(moments, more);
    }
  combine_rows(tile, moments, Moments{});
  if (tile.row() != 0 || c >= channels) return;
  const double count = moments[0], squares = moments[2];
  mean[c] = static_cast<C>(moments[1]);
  inverse_deviation[c] = static_cast<C>(1 / sqrt(squares / count + static_cast<double>(epsilon)));
  variance[c] = static_cast<C>(squares / (count - 1));
}

template <typename C>
__global__ void __launch_bounds__(threads)
    invert(Global<const C> variance, C epsilon, Global<C> inverse_deviation) {
  after_earlier_work();
  const int64_t c = global_index();
  if (c < variance.size) inverse_deviation[c] = 1 / sqrt(variance[c] + epsilon);
}

// Columns<C> on the device.
template <typename C>
struct DeviceColumns {
  Global<const C> mean, inverse_deviation, gamma, beta;
  DeviceColumns(const Columns<C>& columns)
      : mean(columns.mean),
        inverse_deviation(columns.inverse_deviation),
        gamma(columns.gamma),
        beta(columns.beta) {}
};

template <int N, typename C>
struct Factors {
  C mean[N], inverse[N], scale[N], beta[N];
  __device__ Factors(const DeviceColumns<C>& columns, int64_t first) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      mean[j] = columns.mean[first + j];
      inverse[j] = columns.inverse_deviation[first + j];
      scale[j] = columns.gamma[first + j] * inverse[j];
      beta[j] = columns.beta[first + j];
    }
  }
  __device__ C normal(C x, int j) const {
    return (x - mean[j]) * scale[j] + beta[j];
  }
  // The gradient before the activation.
  __device__ C masked(C dy, C x, int j, bool relu) const {
    return !relu || normal(x, j) > 0 ? dy : C(0);
  }
};

template <int N, typename T>
__global__ void __launch_bounds__(threads)
    normalize(ThreadTile tile, Global<const T> x, DeviceColumns<Compute<T>> columns, bool relu,
              Global<T> y) {
  after_earlier_work();
  using C = Compute<T>;
  const int64_t vector = tile.vector();
  if (vector >= tile.vectors) return;
  const Factors<N, C> f(columns, vector * N);
  const int64_t begin = tile.first_row();
#pragma unroll 4
  for (int64_t i = 0; i < rows_each; ++i) {
    const int64_t row = begin + i * tile.steps();
    if (row >= tile.rows) return;
    auto value = load_vector<N>(x, (row * tile.vectors + vector) * N);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const C z = f.normal(widen<T>(value[j]), j);
      value[j] = narrow<T>(relu && z <= 0 ? C(0) : z);
    }
    store_vector<N>(y, (row * tile.vectors + vector) * N, value);
  }
}

template <int N, typename T>
__global__ void __launch_bounds__(threads)
    chunk_sums(ThreadTile tile, Global<const T> dy, Global<const T> x,
               DeviceColumns<Compute<T>> columns, bool relu, Global<Compute<T>> partial) {
  after_earlier_work();
  using C = Compute<T>;
  const int64_t chunks = gridDim.x, chunk = blockIdx.x, vector = tile.vector();
  C sums[2 * N] = {};  // of g (x - mean), of g
  if (vector < tile.vectors) {
    const Factors<N, C> f(columns, vector * N);
    const int64_t end = chunk_begin(tile.rows, chunks, chunk + 1);
    for (int64_t row = chunk_begin(tile.rows, chunks, chunk) + tile.row(); row < end;
         row += tile.steps()) {
      const auto g = load_vector<N>(dy, (row * tile.vectors + vector) * N);
      const auto in = load_vector<N>(x, (row * tile.vectors + vector) * N);
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const C value = widen<T>(in[j]), slope = f.masked(widen<T>(g[j]), value, j, relu);
        sums[j] += slope * (value - f.mean[j]);
        sums[N + j] += slope;
      }
    }
  }
  combine_rows(tile, sums, AddRows{});
  if (tile.row() != 0 || vector >= tile.vectors) return;
  const int64_t channels = tile.vectors * N;
  for (int j = 0; j < N; ++j) {
    partial[chunk * channels + vector * N + j] =
        sums[j] * columns.inverse_deviation[vector * N + j];
    partial[(chunks + chunk) * channels + vector * N + j] = sums[N + j];
  }
}

template <int N, typename T>
__global__ void __launch_bounds__(threads)
    backward(ThreadTile tile, Global<const T> dy, Global<const T> x,
             DeviceColumns<Compute<T>> columns, bool relu, Compute<T> share,
             Global<const Compute<T>> dgamma, Global<const Compute<T>> dbeta, Global<T> dx) {
  after_earlier_work();
  using C = Compute<T>;
  const int64_t vector = tile.vector();
  if (vector >= tile.vectors) return;
  const Factors<N, C> f(columns, vector * N);
  C slope[N], level[N];
#pragma unroll
  for (int j = 0; j < N; ++j) {
    slope[j] = dgamma[vector * N + j] * f.inverse[j] * share;
    level[j] = dbeta[vector * N + j] * share;
  }
  const int64_t begin = tile.first_row();
#pragma unroll 2
  for (int64_t i = 0; i < rows_each; ++i) {
    const int64_t row = begin + i * tile.steps();
    if (row >= tile.rows) return;
    auto g = load_vector<N>(dy, (row * tile.vectors + vector) * N);
    const auto in = load_vector<N>(x, (row * tile.vectors + vector) * N);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const C value = widen<T>(in[j]);
      g[j] = narrow<T>(f.scale[j] * (f.masked(widen<T>(g[j]), value, j, relu) - level[j] -
                                     (value - f.mean[j]) * slope[j]));
    }
    store_vector<N>(dx, (row * tile.vectors + vector) * N, g);
  }
}

}  // namespace

template <typename T>
void BatchStatistics<T>::run(Cuda device) const {
  using C = Compute<T>;
  const int64_t channels = mean.size, chunks = partial.size / (2 * channels);
  with_tile<T>(
      x.size / channels, channels,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, chunk_statistics<n.value, T>, tile.grid(chunks), threads, 0, tile, x,
               partial);
      },
      x);
  const ThreadTile tile(chunks, channels, 1);  // few for each thread: a merge divides
  launch(device.stream, merge_chunks<C>, tile.grid(1), threads, 0, tile, x.size / channels, partial,
         epsilon, mean, inverse_deviation, variance);
}

template <typename C>
void InverseDeviation<C>::run(Cuda device) const {
  launch(device.stream, invert<C>, blocks_for(variance.size, threads), threads, 0, variance,
         epsilon, inverse_deviation);
}

template <typename T>
void Normalize<T>::run(Cuda device) const {
  const int64_t channels = columns.mean.size;
  with_tile<T>(
      x.size / channels, channels,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, normalize<n.value, T>, tile.elementwise_grid(), threads, 0, tile, x,
               columns, relu, y);
      },
      x, y);
}

template <typename T>
void BatchNormSums<T>::run(Cuda device) const {
  const int64_t channels = columns.mean.size, chunks = partial.size / (2 * channels);
  with_tile<T>(
      x.size / channels, channels,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, chunk_sums<n.value, T>, tile.grid(chunks), threads, 0, tile, dy, x,
               columns, relu, partial);
      },
      x, dy);
  add_chunk_pairs<Compute<T>>(device, chunks, {partial.data, partial.size}, dgamma, dbeta);
}

template <typename T>
void BatchNormBackward<T>::run(Cuda device) const {
  using C = Compute<T>;
  const int64_t channels = columns.mean.size;
  const C share = constants ? C(0) : 1 / static_cast<C>(x.size / channels);
  with_tile<T>(
      x.size / channels, channels,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, backward<n.value, T>, tile.elementwise_grid(), threads, 0, tile, dy,
               x, columns, relu, share, dgamma, dbeta, dx);
      },
      x, dy, dx);
}

PY4CAST_KERNEL(BatchStatistics)
PY4CAST_KERNEL(Normalize)
PY4CAST_KERNEL(BatchNormSums)
PY4CAST_KERNEL(BatchNormBackward)
template struct InverseDeviation<float>;
template struct InverseDeviation<double>;

}  // namespace py4cast
