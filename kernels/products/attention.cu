#include "kernels/common/elementwise.h"
#include "kernels/common/mma.h"
#include "kernels/common/vector_math.h"
#include "kernels/products/attention_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = 256, each = attention_width / 32;

// 2^bits threads take a row (a query or a key) of a head, `each` channels a thread: lane l has the
// channels l, l + lanes, ... Rows of the other operand pass through shared memory in tiles, whose
// rows are `each` times the lanes apart and are filled up with zeros.
struct Lanes {
  int bits = 0;
  explicit Lanes(int64_t width) {
    while (each << bits < width) ++bits;
  }
  int64_t rows() const { return threads >> bits; }  // of a block
  __device__ int count() const { return 1 << bits; }
  __device__ int lane() const { return static_cast<int>(threadIdx.x) & (count() - 1); }
  __device__ int row() const { return static_cast<int>(threadIdx.x) >> bits; }
  __device__ int pitch() const { return each << bits; }
};
constexpr int tile_elements = 2048;

// The sum over the lanes of a row, in a fixed tree, in every lane.
template <typename C>
__device__ C over_lanes(const Lanes& lanes, C value) {
  for (int apart = lanes.count() / 2; apart > 0; apart /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, apart);
  return value;
}

// A row of a head of a sample: its place among all rows of its kind.
struct Head {
  int64_t sample, head;
  __device__ int64_t row(const AttentionSizes& s, int64_t rows, int64_t i) const {
    return (sample * rows + i) * s.heads + head;
  }
};
// The head that remains of the block's number once its rows are split off.
__device__ inline Head head_of(const AttentionSizes& s, int64_t block) {
  Head result{block, 0};
  result.head = split_off(result.sample, s.heads);
  return result;
}

// The channels of row `row` that this thread has, times a factor; zeros if there is no such row.
template <typename X, typename C>
__device__ void read(const AttentionSizes& s, const Lanes& lanes, Global<const X> x, int64_t row,
                     bool exists, C factor, C (&to)[each]) {
#pragma unroll
  for (int j = 0; j < each; ++j) {
    const int c = j * lanes.count() + lanes.lane();
    to[j] = exists && c < s.width ? factor * static_cast<C>(widen(x[row * s.width + c])) : C(0);
  }
}

template <typename X, typename C>
__device__ void write(const AttentionSizes& s, const Lanes& lanes, const C (&from)[each], C factor,
                      Global<X> x, int64_t row) {
#pragma unroll
  for (int j = 0; j < each; ++j) {
    const int c = j * lanes.count() + lanes.lane();
    if (c < s.width) x[row * s.width + c] = narrow<X>(factor * from[j]);
  }
}

// Rows first ... first + count - 1 of a head to a tile.
template <typename T, typename C>
__device__ void bring(const AttentionSizes& s, const Lanes& lanes, const Head& head,
                      Global<const T> x, int64_t rows, int64_t first, int count, C factor,
                      SharedView<C> tile) {
  const int bits = lanes.bits + 3, pitch = lanes.pitch();
  for (int i = static_cast<int>(threadIdx.x); i < count << bits; i += threads) {
    const int c = i & (pitch - 1);
    const int64_t row = head.row(s, rows, first + (i >> bits));
    tile[i] = c < s.width ? factor * widen(x[row * s.width + c]) : C(0);
  }
}
static_assert(each == 1 << 3);

// Of this thread's channels; the sum over the lanes is the product of both rows.
template <typename C>
__device__ C partial_product(const Lanes& lanes, const C (&own)[each], SharedView<C> tile,
                             int row) {
  C sum = 0;
#pragma unroll
  for (int j = 0; j < each; ++j)
    sum += own[j] * tile[row * lanes.pitch() + j * lanes.count() + lanes.lane()];
  return sum;
}

template <typename C>
__device__ void add_row(const Lanes& lanes, C factor, SharedView<C> tile, int row, C (&to)[each]) {
#pragma unroll
  for (int j = 0; j < each; ++j)
    to[j] += factor * tile[row * lanes.pitch() + j * lanes.count() + lanes.lane()];
}

// Calls f(rows of the tile) for the tiles of all rows from begin to end, `load(first, count)` brings
// them.
template <typename Load, typename F>
__device__ void for_tiles(const Lanes& lanes, int64_t begin, int64_t end, Load&& load, F&& f) {
  const int most = tile_elements / lanes.pitch();
#pragma unroll 1
  for (int64_t first = begin; first < end; first += most) {
    const int count = end - first < most ? static_cast<int>(end - first) : most;
    __syncthreads();
    load(first, count);
    __syncthreads();
    f(count);
  }
}

// Calls f(rows of the tiles) for the tiles of all keys and values of a head.
template <typename T, typename C, typename F>
__device__ void for_keys(const AttentionSizes& s, const Lanes& lanes, const Head& head,
                         Global<const T> k, Global<const T> v, SharedView<C> keys,
                         SharedView<C> values, F&& f) {
  for_tiles(
      lanes, 0, s.keys,
      [&](int64_t first, int count) {
        bring<T, C>(s, lanes, head, k, s.keys, first, count, C(1), keys);
        bring<T, C>(s, lanes, head, v, s.keys, first, count, C(1), values);
      },
      f);
}

template <typename T>
__global__ void __launch_bounds__(threads, 2)
    forward(AttentionSizes s, Lanes lanes, int64_t blocks, Compute<T> scale, Global<const T> q,
            Global<const T> k, Global<const T> v, Global<Compute<T>> y,
            Global<Compute<T>> statistics) {
  after_earlier_work();
  using C = Compute<T>;
  PY4CAST_SHARED(C, keys, tile_elements);
  PY4CAST_SHARED(C, values, tile_elements);
  int64_t block = blockIdx.x;
  const int64_t query = split_off(block, blocks) * (threads >> lanes.bits) + lanes.row();
  const Head head = head_of(s, block);
  const bool exists = query < s.queries;
  const int64_t row = head.row(s, s.queries, query);
  C own[each], sums[each] = {}, largest = -static_cast<C>(INFINITY), total = 0;
  read(s, lanes, q, row, exists, scale, own);
  for_keys<T, C>(s, lanes, head, k, v, keys, values, [&](int count) {
#pragma unroll 1
    for (int i = 0; i < count; ++i) {
      const C score = over_lanes(lanes, partial_product<C>(lanes, own, keys, i));
      const C top = largest < score ? score : largest;
      const C correction = exponential(largest - top), weight = exponential(score - top);
      total = total * correction + weight;
#pragma unroll
      for (int j = 0; j < each; ++j) sums[j] *= correction;
      add_row<C>(lanes, weight, values, i, sums);
      largest = top;
    }
  });
  if (!exists) return;
  const C inverse = 1 / total;
  write(s, lanes, sums, inverse, y, row);
  if (lanes.lane() == 0) {
    statistics[row] = largest;
    statistics[statistics.size / 2 + row] = inverse;
  }
}

// Of the queries; and the products of dy and y, which the keys' gradients need, too.
template <typename T>
__global__ void __launch_bounds__(threads, 2)
    query_gradient(AttentionSizes s, Lanes lanes, int64_t blocks, Compute<T> scale,
                   Global<const T> dy, Global<const T> q, Global<const T> k, Global<const T> v,
                   Global<const Compute<T>> y, Global<const Compute<T>> statistics,
                   Global<Compute<T>> products, Global<T> dq) {
  after_earlier_work();
  using C = Compute<T>;
  PY4CAST_SHARED(C, keys, tile_elements);
  PY4CAST_SHARED(C, values, tile_elements);
  int64_t block = blockIdx.x;
  const int64_t query = split_off(block, blocks) * (threads >> lanes.bits) + lanes.row();
  const Head head = head_of(s, block);
  const bool exists = query < s.queries;
  const int64_t row = head.row(s, s.queries, query);
  C own[each], slope[each], sums[each] = {}, product = 0;
  read(s, lanes, y, row, exists, C(1), own);
  read(s, lanes, dy, row, exists, C(1), slope);
#pragma unroll
  for (int j = 0; j < each; ++j) product += own[j] * slope[j];
  product = over_lanes(lanes, product);
  read(s, lanes, q, row, exists, scale, own);
  const C largest = exists ? statistics[row] : C(0);
  const C inverse = exists ? statistics[statistics.size / 2 + row] : C(0);
  for_keys<T, C>(s, lanes, head, k, v, keys, values, [&](int count) {
#pragma unroll 1
    for (int i = 0; i < count; ++i) {
      const C score = over_lanes(lanes, partial_product<C>(lanes, own, keys, i));
      const C change = over_lanes(lanes, partial_product<C>(lanes, slope, values, i));
      const C weight = exponential(score - largest) * inverse;
      add_row<C>(lanes, weight * (change - product), keys, i, sums);
    }
  });
  if (!exists) return;
  write(s, lanes, sums, scale, dq, row);
  if (lanes.lane() == 0) products[row] = product;
}

// A block sums one chunk of the queries for its keys.
template <typename T>
__global__ void __launch_bounds__(threads, 2)
    key_gradients(AttentionSizes s, Lanes lanes, int64_t blocks, int64_t chunks, Compute<T> scale,
                  Global<const T> dy, Global<const T> q, Global<const T> k, Global<const T> v,
                  Global<const Compute<T>> statistics, Global<const Compute<T>> products,
                  Global<Compute<T>> partial) {
  after_earlier_work();
  using C = Compute<T>;
  PY4CAST_SHARED(C, queries, tile_elements);
  PY4CAST_SHARED(C, slopes, tile_elements);
  PY4CAST_SHARED(C, numbers, 3 * (tile_elements / each));
  constexpr int most = tile_elements / each;
  int64_t block = blockIdx.x;
  const int64_t key = split_off(block, blocks) * (threads >> lanes.bits) + lanes.row();
  const int64_t chunk = split_off(block, chunks);
  const Head head = head_of(s, block);
  const bool exists = key < s.keys;
  const int64_t row = head.row(s, s.keys, key), half = statistics.size / 2;
  C own_key[each], own_value[each], dk[each] = {}, dv[each] = {};
  read(s, lanes, k, row, exists, C(1), own_key);
  read(s, lanes, v, row, exists, C(1), own_value);
  for_tiles(
      lanes, chunk_begin(s.queries, chunks, chunk), chunk_begin(s.queries, chunks, chunk + 1),
      [&](int64_t first, int count) {
        bring<T, C>(s, lanes, head, q, s.queries, first, count, scale, queries);
        bring<T, C>(s, lanes, head, dy, s.queries, first, count, C(1), slopes);
        for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
          const int64_t at = head.row(s, s.queries, first + i);
          numbers[i] = statistics[at];
          numbers[most + i] = statistics[half + at];
          numbers[2 * most + i] = products[at];
        }
      },
      [&](int count) {
#pragma unroll 1
        for (int i = 0; i < count; ++i) {
          const C score = over_lanes(lanes, partial_product<C>(lanes, own_key, queries, i));
          const C change = over_lanes(lanes, partial_product<C>(lanes, own_value, slopes, i));
          const C weight = exponential(score - numbers[i]) * numbers[most + i];
          add_row<C>(lanes, weight * (change - numbers[2 * most + i]), queries, i, dk);
          add_row<C>(lanes, weight, slopes, i, dv);
        }
      });
  if (!exists) return;
  const int64_t rows = s.batch * s.keys * s.heads;
  write(s, lanes, dk, C(1), partial, 2 * chunk * rows + row);
  write(s, lanes, dv, C(1), partial, (2 * chunk + 1) * rows + row);
}

// The sums of the chunks of partial [chunks, 2, elements], in order.
template <typename T>
__global__ void add_chunks(int64_t chunks, Global<const Compute<T>> partial, Global<T> dk,
                           Global<T> dv) {
  after_earlier_work();
  for (int64_t i = global_index(); i < dk.size; i += grid_stride()) {
    Compute<T> key = 0, value = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      key += partial[2 * chunk * dk.size + i];
      value += partial[(2 * chunk + 1) * dk.size + i];
    }
    dk[i] = narrow<T>(key);
    dv[i] = narrow<T>(value);
  }
}

}  // namespace

template <typename T>
void AttentionForward<T>::run(Cuda device) const {
  const Lanes lanes(sizes.width);
  const int64_t blocks = blocks_for(sizes.queries, lanes.rows());
  launch(device.stream, forward<T>, checked_blocks(sizes.matrices() * blocks), threads, 0, sizes,
         lanes, blocks, scale, q, k, v, y, statistics);
}

template <typename T>
void AttentionBackward<T>::run(Cuda device) const {
  const Lanes lanes(sizes.width);
  const int64_t blocks = blocks_for(sizes.queries, lanes.rows());
  launch(device.stream, query_gradient<T>, checked_blocks(sizes.matrices() * blocks), threads, 0,
         sizes, lanes, blocks, scale, dy, q, k, v, y, statistics, scratch, dq);
  const int64_t key_blocks = blocks_for(sizes.keys, lanes.rows());
  launch(device.stream, key_gradients<T>, checked_blocks(sizes.matrices() * key_blocks * chunks),
         threads, 0, sizes, lanes, key_blocks, chunks, scale, dy, q, k, v, statistics, scratch,
         partial);
  launch(device.stream, add_chunks<T>, blocks_for(dk.size, threads), threads, 0, chunks, partial,
         dk, dv);
}

PY4CAST_KERNEL(AttentionForward)
PY4CAST_KERNEL(AttentionBackward)

}  // namespace py4cast
