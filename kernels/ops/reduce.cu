#include "kernels/common/elementwise.h"
#include "kernels/ops/reduce_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = 256;

// How a block is cut: `width` neighbours along inner, `parts` threads that share the rows of one
// chunk; the rest of the threads have other chunks. Powers of two.
struct Layout {
  int64_t outer, middle, inner, chunks, tiles;
  int width, parts;
  __device__ int64_t chunk_number() const {
    return quotient(blockIdx.x, tiles) * (threads / (width * parts)) +
           static_cast<int>(threadIdx.x) / (width * parts);
  }
};

int power_of_two(int64_t least, int most) {
  int result = 1;
  while (result < least && result < most) result *= 2;
  return result;
}

Layout layout(int64_t outer, int64_t middle, int64_t inner, int64_t chunks) {
  const int width = power_of_two(inner, middle < 32 ? threads : 32);
  const int parts = power_of_two((middle + chunks - 1) / chunks, threads / width);
  return {outer, middle, inner, chunks, (inner + width - 1) / width, width, parts};
}

// y[o, chunk, i] = sum of x[o, m, i] over the chunk's m.
template <typename From, typename To>
__global__ void __launch_bounds__(threads)
    sum_chunks(Layout at, Global<const From> x, Global<To> y) {
  after_earlier_work();
  PY4CAST_SHARED(double, sums, threads);
  const int thread = static_cast<int>(threadIdx.x), part = thread / at.width % at.parts;
  const int64_t number = at.chunk_number();
  const int64_t tile = blockIdx.x - quotient(blockIdx.x, at.tiles) * at.tiles;
  const int64_t i = tile * at.width + thread % at.width;
  const bool used = number < at.outer * at.chunks && i < at.inner;
  double sum = 0;
  if (used) {
    const int64_t o = quotient(number, at.chunks), chunk = number - o * at.chunks;
    const int64_t end = chunk_begin(at.middle, at.chunks, chunk + 1);
    for (int64_t m = chunk_begin(at.middle, at.chunks, chunk) + part; m < end; m += at.parts)
      sum += static_cast<double>(widen<From>(x[(o * at.middle + m) * at.inner + i]));
  }
  for (int step = at.parts / 2; step > 0; step /= 2) {
    sums[thread] = sum;
    __syncthreads();
    if (part < step) sum += static_cast<double>(sums[thread + step * at.width]);
    __syncthreads();
  }
  if (used && part == 0) y[number * at.inner + i] = narrow<To>(static_cast<Compute<To>>(sum));
}

template <typename From, typename To>
void sum_chunks_of(Cuda device, const Layout& at, View<const From> x, View<To> y) {
  const int64_t blocks =
      at.tiles * blocks_for(at.outer * at.chunks, threads / (at.width * at.parts));
  launch(device.stream, sum_chunks<From, To>, blocks_for(blocks, 1), threads, 0, at, x, y);
}

template <typename T>
__global__ void __launch_bounds__(threads)
    repeat_middle(int64_t middle, int64_t inner, Global<const T> x, Global<T> y) {
  after_earlier_work();
  for (int64_t i = global_index(); i < y.size; i += grid_stride()) {
    int64_t rest = i;
    const int64_t column = split_off(rest, inner);
    y[i] = x[quotient(rest, middle) * inner + column];
  }
}

}  // namespace

template <typename T, typename To>
void SumMiddle<T, To>::run(Cuda device) const {
  const int64_t chunks = y.size ? partial.size / y.size : 1;
  if (chunks <= 1) return sum_chunks_of(device, layout(outer, middle, inner, 1), x, y);
  sum_chunks_of(device, layout(outer, middle, inner, chunks), x, partial);
  sum_chunks_of(device, layout(outer, chunks, inner, 1),
                View<const double>{partial.data, partial.size}, y);
}

template <typename T>
void RepeatMiddle<T>::run(Cuda device) const {
  launch(device.stream, repeat_middle<T>, blocks_for(y.size, threads), threads, 0, middle, inner, x,
         y);
}

template struct SumMiddle<float, float>;
template struct SumMiddle<double, double>;
template struct SumMiddle<bfloat16, bfloat16>;
template struct SumMiddle<bfloat16, float>;
PY4CAST_KERNEL(RepeatMiddle)

}  // namespace py4cast
