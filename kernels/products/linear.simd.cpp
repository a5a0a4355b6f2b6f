#include "kernels/common/simd.h"
#include "kernels/products/linear_kernels.h"
#include "kernels/products/linear_tile.h"

namespace py4cast {
namespace {

template <bool adds, typename T>
PY4CAST_INLINE void multiply_rows(const LinearProduct<T>& k) {
  constexpr int64_t block = 96;  // rows: a multiple of every tile
  const int64_t blocks = (k.rows + block - 1) / block;
#pragma omp parallel for schedule(static) if (k.rows * k.depth * k.columns > 65536)
  for (int64_t index = 0; index < blocks; ++index)
    for_column_tiles<T>(k.columns, [&](auto tile, int64_t column) {
      constexpr int vectors = decltype(tile)::vectors, step = decltype(tile)::rows;
      const T* const panel = k.packed.data + (k.depth + 1) * column;
      const int64_t used = smaller<int64_t>(vectors * lanes<T>, k.columns - column);
      const int64_t end = smaller((index + 1) * block, k.rows);
      const auto multiply = [&]<int count>(Step<count>, int64_t r) __attribute__((always_inline)) {
        linear_tile<count, vectors, T, adds>(k.x.data + r * k.depth, k.depth, k.depth, panel,
                                             k.columns, used, k.y.data + r * k.columns + column);
      };
      int64_t r = index * block;
      for (; r + step <= end; r += step) multiply(Step<step>{}, r);
      for (; r < end; ++r) multiply(Step<1>{}, r);
    });
}

}  // namespace

template <typename T>
void LinearProduct<T>::run(Level) const {
  pack_panels<T>(w.data, transposed, bias.size ? bias.data : nullptr, depth, columns, packed.data);
  if (adds)
    multiply_rows<true>(*this);
  else
    multiply_rows<false>(*this);
}

namespace {

// Rows of dy are taken in blocks that stay in the first cache together with those of x.
PY4CAST_INLINE int64_t row_block(int64_t in, int64_t out, int64_t element) {
  const int64_t rows = 32768 / (element * (in + out));
  return rows < 32 ? 32 : (rows > 128 ? 128 : rows);
}

// to[:] += sum over the block's rows of dy[r, :]; four sums at a time hide the latency of
// additions.
template <int vectors, typename T>
PY4CAST_INLINE void add_rows(const T* dy, int64_t dy_row, int64_t rows, T* to) {
  Vector<T> sum[4][vectors] = {};
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4)
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[p][v] += load(dy + (r + p) * dy_row + v * lanes<T>);
  for (; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[0][v] += load(dy + r * dy_row + v * lanes<T>);
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) {
    T* const at = to + v * lanes<T>;
    store(at, load(at) + ((sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v])));
  }
}

// One block of rows, one panel of columns: all of x. Each tile reads a few columns of every row, a
// pattern that the processor does not foresee: the next block's x is asked for meanwhile, in order.
template <typename Tile, typename T>
PY4CAST_INLINE void add_block(const T* x, int64_t in, const T* dy, int64_t dy_row, int64_t rows,
                              int64_t pitch, T* to) {
  constexpr int step = Tile::rows, vectors = Tile::vectors;
  const T* const next = x + rows * in;
  int64_t i = 0;
  for (; i + step <= in; i += step) {
    for (int64_t ahead = i * rows; ahead < (i + step) * rows; ahead += 64 / sizeof(T))
      __builtin_prefetch(next + ahead, 0, 2);
    add_tile<step, vectors>(x + i, 1, in, dy, dy_row, rows, to + i * pitch, pitch);
  }
  for (; i + 4 <= in; i += 4)
    add_tile<4, vectors>(x + i, 1, in, dy, dy_row, rows, to + i * pitch, pitch);
  for (; i < in; ++i) add_tile<1, vectors>(x + i, 1, in, dy, dy_row, rows, to + i * pitch, pitch);
}

}  // namespace

template <typename T>
void LinearWeightGradient<T>::run(Level) const {
  const int64_t chunks = weight_gradient_chunks(rows, in, out), pitch = packed_columns(out);
  const int64_t block = row_block(in, out, sizeof(T));
#pragma omp parallel for schedule(static) if (rows * in * out > 65536)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    T* const sums = partial.data + chunk * (in + 1) * pitch;
    for (int64_t i = 0; i < (in + 1) * pitch; ++i) sums[i] = 0;
    alignas(64) T padded[128 * widest_tile * lanes<T>];  // the last panel with whole vectors
    const int64_t end = chunk_begin(rows, chunks, chunk + 1);
    for (int64_t r = chunk_begin(rows, chunks, chunk); r < end; r += block) {
      const int64_t count = smaller(block, end - r);
      for_column_tiles<T>(out, [&](auto tile, int64_t column) {
        constexpr int64_t width = decltype(tile)::vectors * lanes<T>;
        const T* from = dy.data + r * out + column;
        int64_t step = out;
        // Sums of columns beyond the last are not used: what is read there does not matter, but it
        // must not lie behind the end of dy.
        if (const int64_t used = out - column;
            used < width && (r + count - 1) * out + column + width > rows * out) {
          for (int64_t row = 0; row < count; ++row)
            for (int64_t c = 0; c < width; ++c)
              padded[row * width + c] = c < used ? from[row * out + c] : T(0);
          from = padded;
          step = width;
        }
        add_block<decltype(tile)>(x.data + r * in, in, from, step, count, pitch, sums + column);
        if (dbias.size)
          add_rows<decltype(tile)::vectors>(from, step, count, sums + in * pitch + column);
      });
    }
  }
#pragma omp parallel for schedule(static) if (chunks * in * out > 65536)
  for (int64_t i = 0; i < in + (dbias.size ? 1 : 0); ++i) {
    T* const to = i < in ? dweight.data + i * out : dbias.data;
    for (int64_t o = 0; o < out; ++o) to[o] = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const T* const sums = partial.data + (chunk * (in + 1) + i) * pitch;
#pragma omp simd
      for (int64_t o = 0; o < out; ++o) to[o] += sums[o];
    }
  }
}

template struct LinearProduct<float>;
template struct LinearProduct<double>;
template struct LinearWeightGradient<float>;
template struct LinearWeightGradient<double>;

}  // namespace py4cast
