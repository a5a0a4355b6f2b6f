#include "kernels/common/elementwise.h"
#include "kernels/ops/upsample_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = 256;

// The first place that lies at or after source point i: estimated, then corrected.
__device__ int64_t first_place(const ResampledAxis& axis, int64_t i) {
  if (i <= 0) return 0;
  const double estimate = (static_cast<double>(i) - axis.shift) / axis.scale;
  int64_t p = estimate < static_cast<double>(axis.out) ? static_cast<int64_t>(estimate) : axis.out;
  while (p > 0 && place<double>(axis, p - 1).first >= i) --p;
  while (p < axis.out && place<double>(axis, p).first < i) ++p;
  return p;
}

// Each thread makes N neighbouring channels of one pixel of y.
template <int N, typename T>
__global__ void __launch_bounds__(threads, 2)
    forward(ResampledAxis rows, ResampledAxis columns, int64_t channels, Global<const T> x,
            Global<const T> base, Global<T> y) {
  after_earlier_work();
  using C = Compute<T>;
  for (int64_t i = global_index(); i * N < y.size; i += grid_stride()) {
    int64_t batch = i;
    const int64_t c = split_off(batch, channels / N) * N;
    const Place<C> column = place<C>(columns, split_off(batch, columns.out));
    const Place<C> row = place<C>(rows, split_off(batch, rows.out));
    const int64_t upper =
        ((batch * rows.in + row.first) * columns.in + column.first) * channels + c;
    const int64_t lower = row.first + 1 < rows.in ? upper + columns.in * channels : upper;
    const int64_t right = column.first + 1 < columns.in ? channels : 0;
    const Pack<T, N> p = load_vector<N>(x, upper), q = load_vector<N>(x, upper + right),
                     r = load_vector<N>(x, lower), s = load_vector<N>(x, lower + right);
    Pack<T, N> result{};
    if (base.size) result = load_vector<N>(base, i * N);
    for (int k = 0; k < N; ++k) {
      const C above = widen(p[k]) + column.weight * (widen(q[k]) - widen(p[k]));
      const C under = widen(r[k]) + column.weight * (widen(s[k]) - widen(r[k]));
      result[k] = narrow<T>(widen(result[k]) + (above + row.weight * (under - above)));
    }
    store_vector(y, i * N, result);
  }
}

// What the source point i gets of a place between it and a neighbour.
template <typename C>
__device__ C share(const ResampledAxis& axis, int64_t p, int64_t i) {
  const Place<C> at = place<C>(axis, p);
  return at.first == i ? 1 - at.weight : at.weight;
}

// How a block is cut, in powers of two: `lanes` threads along the packs of channels, `parts` that
// share the rows of dy around one pixel of dx; the rest have other pixels.
struct Cut {
  int64_t packs, tiles;  // of channels
  int lanes, parts;
  __host__ __device__ int pixels() const { return threads / (lanes * parts); }
};
// Far apart pixels are few and have many places around them.
Cut cut(const ResampledAxis& rows, const ResampledAxis& columns, int64_t packs) {
  Cut result{packs, 1, 1, 1};
  while (result.lanes < 32 && result.lanes < packs) result.lanes *= 2;
  result.tiles = (packs + result.lanes - 1) / result.lanes;
  const int64_t high = 2 * rows.out / rows.in, places = high * (2 * columns.out / columns.in);
  while (2 * result.parts <= high && 2 * result.parts * result.lanes <= threads &&
         places > 64 * result.parts)
    result.parts *= 2;
  return result;
}

// Each thread collects N neighbouring channels of one pixel of dx, from every parts-th row.
template <int N, typename T>
__global__ void __launch_bounds__(threads, 2)
    backward(ResampledAxis rows, ResampledAxis columns, Cut cut, Global<const T> dy, Global<T> dx) {
  after_earlier_work();
  using C = Compute<T>;
  PY4CAST_SHARED(C, given, N * threads);
  const int thread = static_cast<int>(threadIdx.x), part = thread / cut.lanes % cut.parts;
  int64_t block = blockIdx.x;
  const int64_t pack = split_off(block, cut.tiles) * cut.lanes + thread % cut.lanes;
  const int64_t pixel = block * cut.pixels() + thread / (cut.lanes * cut.parts);
  const bool used = pack < cut.packs && (pixel * cut.packs + pack) * N < dx.size;
  C sum[N] = {};
  if (used) {
    int64_t batch = pixel;
    const int64_t column = split_off(batch, columns.in), row = split_off(batch, rows.in);
    const int64_t end = first_place(rows, row + 1), last = first_place(columns, column + 1);
    const int64_t first = first_place(columns, column - 1);
    for (int64_t h = first_place(rows, row - 1) + part; h < end; h += cut.parts) {
      const C row_share = share<C>(rows, h, row);
      const int64_t line = (batch * rows.out + h) * columns.out;
#pragma unroll 4  // loads go ahead of the weights
      for (int64_t w = first; w < last; ++w) {
        const C weight = row_share * share<C>(columns, w, column);
        const auto g = load_vector<N>(dy, ((line + w) * cut.packs + pack) * N);
        for (int k = 0; k < N; ++k) sum[k] += weight * widen(g[k]);
      }
    }
  }
  for (int step = cut.parts / 2; step > 0; step /= 2) {
    for (int k = 0; k < N; ++k) given[k * threads + thread] = sum[k];
    __syncthreads();
    if (part < step)
      for (int k = 0; k < N; ++k)
        sum[k] += static_cast<C>(given[k * threads + thread + step * cut.lanes]);
    __syncthreads();
  }
  if (!used || part > 0) return;
  Pack<T, N> result;
  for (int k = 0; k < N; ++k) result[k] = narrow<T>(sum[k]);
  store_vector(dx, (pixel * cut.packs + pack) * N, result);
}

}  // namespace

template <typename T>
void Upsample<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  launch_by_channels<N>(device, forward<N, T>, forward<1, T>, channels, y, rows, columns, channels,
                        x, base);
}

template <typename T>
void UpsampleGradient<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  if (dx.size == 0) return;
  const bool wide = channels % N == 0 && aligned_for<N>(dy) && aligned_for<N>(dx);
  const Cut by = cut(rows, columns, wide ? channels / N : channels);
  const int64_t blocks = by.tiles * blocks_for(dx.size / channels, by.pixels());
  launch(device.stream, wide ? backward<N, T> : backward<1, T>, blocks_for(blocks, 1), threads, 0,
         rows, columns, by, dy, dx);
}

PY4CAST_KERNEL(Upsample)
PY4CAST_KERNEL(UpsampleGradient)

}  // namespace py4cast
