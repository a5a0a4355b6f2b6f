#include "kernels/common/simd.h"
#include "kernels/common/vector_math.h"
#include "kernels/products/attention_kernels.h"
#include "kernels/products/multiply_tile.h"

namespace py4cast {
namespace {

// Queries are taken in blocks, keys in tiles; their scores stay in the first cache.
constexpr int block = 24;
template <typename C>
constexpr int tile = widest_tile* lanes<C>;
// Padded matrices consist of whole tiles and vectors (AttentionSizes).
static_assert(64 % tile<float> == 0 && 16 % lanes<float> == 0);

// d [rows, columns] += a [rows, depth] b [depth, columns], columns whole vectors.
template <typename C>
void add_product(int64_t rows, int64_t depth, int64_t columns, const C* a, int64_t a_row,
                 int64_t a_step, const C* b, int64_t b_step, C* d, int64_t d_row) {
  for_column_tiles<C>(columns, [&](auto of, int64_t column) {
    constexpr int vectors = decltype(of)::vectors, step = decltype(of)::rows;
    int64_t r = 0;
    for (; r + step <= rows; r += step)
      add_tile<step, vectors>(a + r * a_row, a_row, a_step, b + column, b_step, depth,
                              d + r * d_row + column, d_row);
    for (; r < rows; ++r)
      add_tile<1, vectors>(a + r * a_row, a_row, a_step, b + column, b_step, depth,
                           d + r * d_row + column, d_row);
  });
}

// Where the numbers of head `matrix % heads` of sample `matrix / heads` begin, in a tensor of so
// many rows for each sample.
PY4CAST_INLINE int64_t start(const AttentionSizes& s, int64_t matrix, int64_t rows) {
  return matrix / s.heads * rows * s.channels() + matrix % s.heads * s.width;
}

// Each head of x [batch, keys, heads, width], filled up with zeros: [padded_keys, padded_width] or,
// for products along the channels, tiles of keys one after another, each [width, tile].
template <typename T>
void pack(const AttentionSizes& s, const T* x, bool along_channels, Compute<T>* packed) {
  using C = Compute<T>;
  const int64_t channels = s.channels(), width = s.width, padded = s.padded_width();
#pragma omp parallel for collapse(2) schedule(static) if (s.keys * channels > 16384)
  for (int64_t matrix = 0; matrix < s.matrices(); ++matrix)
    for (int64_t key = 0; key < s.padded_keys(); ++key) {
      const T* from = x + start(s, matrix, s.keys) + key * channels;
      C* to = packed + matrix * s.padded_matrix();
      const int64_t used = key < s.keys ? width : 0;
      if (along_channels) {
        to += key / tile<C> * tile<C> * width + key % tile<C>;
        for (int64_t c = 0; c < width; ++c) to[c * tile<C>] = c < used ? widen(from[c]) : C(0);
      } else {
        to += key * padded;
        for (int64_t c = 0; c < padded; ++c) to[c] = c < used ? widen(from[c]) : C(0);
      }
    }
}

// Rows of a head, each filled up with zeros: to[r, c] = factor x[r, c].
template <typename T>
PY4CAST_INLINE void read_rows(const AttentionSizes& s, const T* x, int64_t rows, Compute<T> factor,
                              Compute<T>* to) {
  const int64_t width = s.width, padded = s.padded_width(), channels = s.channels();
  for (int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) to[r * padded + c] = factor * widen(x[r * channels + c]);
    for (int64_t c = width; c < padded; ++c) to[r * padded + c] = 0;
  }
}

template <typename C>
PY4CAST_INLINE void clear(C* x, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) x[i] = 0;
}

// A query's running largest score and sum of exponentials, with the scores of more keys, which
// become their exponentials. `sums` belong to the sum, too.
template <typename C>
PY4CAST_INLINE void weigh(C* scores, int64_t keys, C& largest, C& total, C* sums, int64_t width) {
  C top = largest, more = 0;
#pragma omp simd reduction(max : top)
  for (int64_t i = 0; i < keys; ++i) top = larger(top, scores[i]);
#pragma omp simd reduction(+ : more)
  for (int64_t i = 0; i < keys; ++i) {
    scores[i] = exponential(scores[i] - top);
    more += scores[i];
  }
  const C correction = exponential(largest - top);
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) sums[c] *= correction;
  total = total * correction + more;
  largest = top;
}

}  // namespace

template <typename T>
void AttentionForward<T>::run(Level) const {
  using C = Compute<T>;
  const AttentionSizes s = sizes;
  const int64_t matrix_size = s.padded_matrix(), padded = s.padded_width(), channels = s.channels();
  C *const packed_k = scratch.data, *const packed_v = packed_k + s.matrices() * matrix_size;
  pack(s, k.data, true, packed_k);
  pack(s, v.data, false, packed_v);
  const int64_t blocks = (s.queries + block - 1) / block, statistics_size = statistics.size / 2;
#pragma omp parallel for schedule(static) if (s.queries * s.keys * channels > 16384)
  for (int64_t item = 0; item < s.matrices() * blocks; ++item) {
    const int64_t matrix = item / blocks, first = item % blocks * block;
    const int64_t rows = smaller<int64_t>(block, s.queries - first);
    const int64_t place = start(s, matrix, s.queries) + first * channels;
    alignas(64) C query[block * attention_width];
    alignas(64) C sums[block * attention_width];
    alignas(64) C scores[block * tile<C>];
    C largest[block], total[block];
    read_rows(s, q.data + place, rows, scale, query);
    clear(sums, rows * padded);
    for (int64_t r = 0; r < rows; ++r) {
      largest[r] = -static_cast<C>(__builtin_inf());
      total[r] = 0;
    }
    for (int64_t key = 0; key < s.keys; key += tile<C>) {
      const int64_t count = smaller<int64_t>(tile<C>, s.keys - key);
      clear(scores, rows * tile<C>);
      add_product<C>(rows, s.width, tile<C>, query, padded, 1,
                     packed_k + matrix * matrix_size + key * s.width, tile<C>, scores, tile<C>);
      for (int64_t r = 0; r < rows; ++r)
        weigh(scores + r * tile<C>, count, largest[r], total[r], sums + r * padded, padded);
      add_product<C>(rows, count, padded, scores, tile<C>, 1,
                     packed_v + matrix * matrix_size + key * padded, padded, sums, padded);
    }
    for (int64_t r = 0; r < rows; ++r) {
      const C inverse = 1 / total[r];
      C* const out = y.data + place + r * channels;
#pragma omp simd
      for (int64_t c = 0; c < s.width; ++c) out[c] = sums[r * padded + c] * inverse;
      const int64_t at = (matrix / s.heads * s.queries + first + r) * s.heads + matrix % s.heads;
      statistics[at] = largest[r];
      statistics[statistics_size + at] = inverse;
    }
  }
}

namespace {

// The packed operands of one head, and what it adds to.
template <typename C>
struct HeadOperands {
  const C *k_along_channels, *v_along_channels, *k;
  C *dk, *dv;
};

// A block of queries of a head.
template <typename C>
struct QueryBlock {
  int64_t rows;
  alignas(64) C query[block * attention_width], dy[block * attention_width];
  alignas(64) C dquery[block * attention_width];
  C product[block], largest[block], inverse[block];  // product: of dy and y
};

// Its part of all gradients: dquery is made, dk and dv are added to.
template <typename C>
PY4CAST_INLINE void add_gradients(const AttentionSizes& s, const HeadOperands<C>& head,
                                  QueryBlock<C>& of) {
  const int64_t padded = s.padded_width(), rows = of.rows;
  alignas(64) C weights[block * tile<C>];
  alignas(64) C slopes[block * tile<C>];
  clear(of.dquery, rows * padded);
  for (int64_t key = 0; key < s.keys; key += tile<C>) {
    const int64_t count = smaller<int64_t>(tile<C>, s.keys - key);
    clear(weights, rows * tile<C>);
    clear(slopes, rows * tile<C>);
    add_product<C>(rows, s.width, tile<C>, of.query, padded, 1,
                   head.k_along_channels + key * s.width, tile<C>, weights, tile<C>);
    add_product<C>(rows, s.width, tile<C>, of.dy, padded, 1, head.v_along_channels + key * s.width,
                   tile<C>, slopes, tile<C>);
    for (int64_t r = 0; r < rows; ++r) {
      C *const weight = weights + r * tile<C>, *const slope = slopes + r * tile<C>;
      const C largest = of.largest[r], inverse = of.inverse[r], product = of.product[r];
#pragma omp simd
      for (int64_t i = 0; i < count; ++i) {
        weight[i] = exponential(weight[i] - largest) * inverse;
        slope[i] = weight[i] * (slope[i] - product);
      }
    }
    add_product<C>(rows, count, padded, slopes, tile<C>, 1, head.k + key * padded, padded,
                   of.dquery, padded);
    add_product<C>(count, rows, padded, slopes, 1, tile<C>, of.query, padded,
                   head.dk + key * padded, padded);
    add_product<C>(count, rows, padded, weights, 1, tile<C>, of.dy, padded, head.dv + key * padded,
                   padded);
  }
}

// sums: of dk or dv for each head and chunk, `apart` numbers from one to the next.
template <typename T>
void add_chunks(const AttentionSizes& s, int64_t chunks, const Compute<T>* sums, int64_t apart,
                T* to) {
  const int64_t padded = s.padded_width();
#pragma omp parallel for collapse(2) schedule(static) if (s.keys * s.channels() * chunks > 16384)
  for (int64_t matrix = 0; matrix < s.matrices(); ++matrix)
    for (int64_t key = 0; key < s.keys; ++key) {
      const Compute<T>* from = sums + matrix * chunks * apart + key * padded;
      T* const out = to + start(s, matrix, s.keys) + key * s.channels();
      for (int64_t c = 0; c < s.width; ++c) {
        Compute<T> sum = 0;
        for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += from[chunk * apart + c];
        out[c] = narrow<T>(sum);
      }
    }
}

}  // namespace

template <typename T>
void AttentionBackward<T>::run(Level) const {
  using C = Compute<T>;
  const AttentionSizes s = sizes;
  const int64_t size = s.padded_matrix(), padded = s.padded_width(), channels = s.channels();
  C *const packed_k = scratch.data, *const packed_v = packed_k + s.matrices() * size,
           *const packed_rows = packed_v + s.matrices() * size;
  pack(s, k.data, true, packed_k);
  pack(s, v.data, true, packed_v);
  pack(s, k.data, false, packed_rows);
#pragma omp parallel for schedule(static) if (s.queries * s.keys * channels > 16384)
  for (int64_t item = 0; item < s.matrices() * chunks; ++item) {
    const int64_t matrix = item / chunks, chunk = item % chunks;
    C* const own = partial.data + item * 2 * size;
    clear(own, 2 * size);
    const HeadOperands<C> head{packed_k + matrix * size, packed_v + matrix * size,
                               packed_rows + matrix * size, own, own + size};
    const int64_t end = chunk_begin(s.queries, chunks, chunk + 1);
    for (int64_t first = chunk_begin(s.queries, chunks, chunk); first < end; first += block) {
      QueryBlock<C> of;
      of.rows = smaller<int64_t>(block, end - first);
      const int64_t place = start(s, matrix, s.queries) + first * channels;
      read_rows(s, q.data + place, of.rows, scale, of.query);
      read_rows(s, dy.data + place, of.rows, C(1), of.dy);
      for (int64_t r = 0; r < of.rows; ++r) {
        const C* const value = y.data + place + r * channels;
        const C* const slope = of.dy + r * padded;
        C product = 0;
#pragma omp simd reduction(+ : product)
        for (int64_t c = 0; c < s.width; ++c) product += slope[c] * value[c];
        const int64_t at = (matrix / s.heads * s.queries + first + r) * s.heads + matrix % s.heads;
        of.product[r] = product;
        of.largest[r] = statistics[at];
        of.inverse[r] = statistics[statistics.size / 2 + at];
      }
      add_gradients(s, head, of);
      for (int64_t r = 0; r < of.rows; ++r) {
        T* const out = dq.data + place + r * channels;
#pragma omp simd
        for (int64_t c = 0; c < s.width; ++c) out[c] = narrow<T>(scale * of.dquery[r * padded + c]);
      }
    }
  }
  add_chunks(s, chunks, partial.data, 2 * size, dk.data);
  add_chunks(s, chunks, partial.data + size, 2 * size, dv.data);
}

PY4CAST_KERNEL(AttentionForward)
PY4CAST_KERNEL(AttentionBackward)

}  // namespace py4cast
