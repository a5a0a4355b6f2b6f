#include "kernels/common/elementwise.h"
#include "kernels/ops/max_pool_kernels.h"

namespace py4cast {
namespace {

// Pixel or window number `rest` of a grid of places: its place on each axis and its batch.
struct Position {
  int64_t batch;
  int place[3];  // an axis has less than 2^31
};
__device__ Position position(int64_t rest, const int64_t (&sizes)[3]) {
  Position at;
  for (int axis = 2; axis >= 0; --axis) at.place[axis] = split_off(rest, sizes[axis]);
  at.batch = rest;
  return at;
}

// Calls f(pixel, wins) for the pixels of the window at `place`, in order; wins[k] tells whether
// channel c + k is the largest so far. Not a number always is.
template <int N, typename T, typename F>
__device__ void for_winners(const PoolSizes& s, Global<const T> x, int64_t batch,
                            const int (&place)[3], int64_t c, F f) {
  int begin[3], end[3];
  for (int axis = 0; axis < 3; ++axis) {
    const int in = static_cast<int>(s.in[axis]), window = static_cast<int>(s.window[axis]);
    const int at =
        place[axis] * static_cast<int>(s.stride[axis]) - static_cast<int>(s.padding[axis]);
    begin[axis] = at < 0 ? 0 : at;
    end[axis] = at + window < in ? at + window : in;
  }
  Pack<Compute<T>, N> best{};
  bool first = true;
  for (int d = begin[0]; d < end[0]; ++d)
    for (int h = begin[1]; h < end[1]; ++h)
      for (int i = begin[2]; i < end[2]; ++i) {
        const int64_t pixel = ((batch * s.in[0] + d) * s.in[1] + h) * s.in[2] + i;
        const Pack<T, N> value = load_vector<N>(x, pixel * s.channels + c);
        bool wins[N];
        for (int k = 0; k < N; ++k) {
          const Compute<T> v = widen(value[k]);
          wins[k] = first || v > best[k] || v != v;
          if (wins[k]) best[k] = v;
        }
        f(pixel, wins);
        first = false;
      }
}

template <int N, typename T>
__global__ void __launch_bounds__(map_threads, 2)
    gather(PoolSizes s, Global<const T> x, Global<const T> v, Global<T> y) {
  after_earlier_work();
  for (int64_t i = global_index(); i * N < y.size; i += grid_stride()) {
    int64_t window = i;
    const int64_t c = split_off(window, s.channels / N) * N;
    const Position at = position(window, s.out);
    Pack<T, N> result{};
    for_winners<N, T>(s, x, at.batch, at.place, c, [&](int64_t pixel, const bool(&wins)[N]) {
      const Pack<T, N> value = load_vector<N>(v, pixel * s.channels + c);
      for (int k = 0; k < N; ++k)
        if (wins[k]) result[k] = value[k];
    });
    store_vector(y, i * N, result);
  }
}

// Each thread collects what the windows around one pixel of dx give to it, in their order.
template <int N, typename T>
__global__ void __launch_bounds__(map_threads, 2)
    scatter(PoolSizes s, Global<const T> x, Global<const T> dy, Global<T> dx) {
  after_earlier_work();
  using C = Compute<T>;
  for (int64_t i = global_index(); i * N < dx.size; i += grid_stride()) {
    int64_t own = i;
    const int64_t c = split_off(own, s.channels / N) * N;
    const Position at = position(own, s.in);
    int begin[3], end[3], place[3];
    for (int axis = 0; axis < 3; ++axis)
      windows_of(s, axis, at.place[axis], begin[axis], end[axis]);
    Pack<C, N> sum{};
    for (place[0] = begin[0]; place[0] < end[0]; ++place[0])
      for (place[1] = begin[1]; place[1] < end[1]; ++place[1])
        for (place[2] = begin[2]; place[2] < end[2]; ++place[2]) {
          bool mine[N] = {};
          for_winners<N, T>(s, x, at.batch, place, c, [&](int64_t pixel, const bool(&wins)[N]) {
            for (int k = 0; k < N; ++k)
              if (wins[k]) mine[k] = pixel == own;
          });
          const int64_t window =
              ((at.batch * s.out[0] + place[0]) * s.out[1] + place[1]) * s.out[2] + place[2];
          const Pack<T, N> g = load_vector<N>(dy, window * s.channels + c);
          for (int k = 0; k < N; ++k)
            if (mine[k]) sum[k] += widen(g[k]);
        }
    Pack<T, N> result;
    for (int k = 0; k < N; ++k) result[k] = narrow<T>(sum[k]);
    store_vector(dx, i * N, result);
  }
}

}  // namespace

template <typename T>
void MaxPoolGather<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  launch_by_channels<N>(device, gather<N, T>, gather<1, T>, sizes.channels, y, sizes, x, v);
}

template <typename T>
void MaxPoolScatter<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  launch_by_channels<N>(device, scatter<N, T>, scatter<1, T>, sizes.channels, dx, sizes, x, dy);
}

PY4CAST_KERNEL(MaxPoolGather)
PY4CAST_KERNEL(MaxPoolScatter)

}  // namespace py4cast
