// For *.simd.cpp files, which instantiate it for their types: some rows go through all layers together.
// T is the type of what comes in and goes out; the rest is Compute<T>. Products take their operands as
// Packed<T>: in bf16, where the processor has dot products of pairs, hidden features and gradients are
// rounded to it before a product, as between the elementary ops.
#pragma once

#include "kernels/common/simd.h"
#include "kernels/ops/activation_math.h"
#include "kernels/products/linear_tile.h"
#include "kernels/products/mlp_kernels.h"

namespace py4cast {
namespace {

// Rows that are taken through all layers together, in the first two caches: a multiple of the rows
// of every tile. A row takes the columns that are packed, and is as far from the next one.
constexpr int64_t tile_rows = 48;
template <typename T, int64_t rows = tile_rows>
struct alignas(64) TileRows {
  T values[rows * mlp_width + 1];
  // Rows beyond those that are used go through products, too.
  PY4CAST_INLINE explicit TileRows(int64_t row) {
    for (int64_t i = 0; i < rows * row; ++i) values[i] = 0;
  }
};
template <int n>
struct Rows {};

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
PY4CAST_INLINE void add_both(const T* a, const T* b, int64_t size, Compute<T>* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] = to[i] + widen(a[i]) + widen(b[i]);
}
// Reads and writes vectors of a row, the last one in part: lanes beyond the row's end are 0.
struct Whole {
  template <typename T>
  PY4CAST_INLINE Vector<T> read(const T* from) const {
    return load(from);
  }
  template <typename T>
  PY4CAST_INLINE void write(T* to, Vector<T> value) const {
    store(to, value);
  }
  template <typename V>
  PY4CAST_INLINE V first(V x) const {
    return x;
  }
};
struct First {
  int64_t count;
  template <typename T>
  PY4CAST_INLINE Vector<T> read(const T* from) const {
    return load_first(from, count);
  }
  template <typename T>
  PY4CAST_INLINE void write(T* to, Vector<T> value) const {
    store_first(to, value, count);
  }
  template <typename V>
  PY4CAST_INLINE V first(V x) const {
    for (int64_t i = count; i < static_cast<int64_t>(sizeof(V) / sizeof(x[0])); ++i) x[i] = 0;
    return x;
  }
};
// f(i, part) for each vector of a row, from its i-th element on.
template <typename T, typename F>
PY4CAST_INLINE void for_vectors(int64_t size, F&& f) {
  int64_t i = 0;
  for (; i + lanes<T> <= size; i += lanes<T>) f(i, Whole{});
  if (i < size) f(i, First{size - i});
}
// By halves: a reduction of a loop is a chain of additions, one for each lane.
template <typename T>
PY4CAST_INLINE T sum_of_lanes(Vector<T> x) {
#ifdef __clang__  // the same sums without a shuffle, which has another name there
  for (int half = lanes<T> / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) x[i] += x[i + half];
#else
  decltype(x == x) lane;
  for (int i = 0; i < lanes<T>; ++i) lane[i] = i;
#pragma GCC unroll 4
  for (int half = lanes<T> / 2; half > 0; half /= 2) x += __builtin_shuffle(x, lane ^ half);
#endif
  return x[0];
}

// With another type where needed.
template <typename From, typename To>
PY4CAST_INLINE void copy_row(const From* from, int64_t size, To* to) {
  for_vectors<From>(size, [=](int64_t i, auto part) { part.write(to + i, part.read(from + i)); });
}
template <typename T>
PY4CAST_INLINE void add_row(const T* from, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] += from[i];
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
PY4CAST_INLINE void multiply_row(T factor, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] *= factor;
}

template <typename T>
struct RowStatistics {
  T mean, inverse_deviation;
};
template <typename T>
PY4CAST_INLINE RowStatistics<T> row_statistics(const T* z, int64_t size, T epsilon) {
  Vector<T> sum{}, squares{};
  for_vectors<T>(size, [&](int64_t i, auto part) { sum += part.read(z + i); });
  const T mean = sum_of_lanes<T>(sum) / static_cast<T>(size);
  const Vector<T> means = Vector<T>{} + mean;
  for_vectors<T>(size, [&](int64_t i, auto part) {
    const Vector<T> centred = part.read(z + i) - part.first(means);
    squares += centred * centred;
  });
  return {mean, 1 / square_root(sum_of_lanes<T>(squares) / static_cast<T>(size) + epsilon)};
}
template <typename T>
PY4CAST_INLINE void normalise_row(const T* gamma, const T* beta, int64_t size, T epsilon, T* z) {
  const auto [mean, inverse] = row_statistics(z, size, epsilon);
  for_vectors<T>(size, [=, mean = mean, inverse = inverse](int64_t i, auto part) {
    part.write(z + i,
               (part.read(z + i) - mean) * inverse * part.read(gamma + i) + part.read(beta + i));
  });
}
// z becomes its own gradient; dy counts `factor` times.
template <typename G, typename T>
PY4CAST_INLINE void norm_gradient_row(const G* dy, T factor, const T* gamma, int64_t size,
                                      T epsilon, T* z, T* dgamma, T* dbeta) {
  const auto [mean, inverse] = row_statistics(z, size, epsilon);
  Vector<T> sums{}, products{};
  for_vectors<T>(size, [&, mean = mean, inverse = inverse](int64_t i, auto part) {
    const Vector<T> scaled = factor * part.read(dy + i) * part.read(gamma + i);
    sums += scaled;
    products += scaled * ((part.read(z + i) - mean) * inverse);
  });
  const T sum = sum_of_lanes<T>(sums) / static_cast<T>(size);
  const T product = sum_of_lanes<T>(products) / static_cast<T>(size);
  for_vectors<T>(size, [=, mean = mean, inverse = inverse](int64_t i, auto part) {
    const Vector<T> h = (part.read(z + i) - mean) * inverse, g = factor * part.read(dy + i);
    part.write(dgamma + i, part.read(dgamma + i) + g * h);
    part.write(dbeta + i, part.read(dbeta + i) + g);
    part.write(z + i, inverse * (g * part.read(gamma + i) - sum - h * product));
  });
}

// Rows are as far apart as their packed columns; two bf16 numbers are one operand of a product.
template <typename T>
constexpr int64_t per_operand = by_pairs<T> ? 2 : 1;

// Rows as operands of a product. In pairs they become `words`, else they are what they were.
template <typename T>
PY4CAST_INLINE const Packed<T>* operands_of(const Compute<T>* rows, int64_t count, int64_t size,
                                            Packed<T>* words) {
  if constexpr (!by_pairs<T>) {
    return rows;
  } else {
    const int64_t pitch = packed_columns(size);
    for (int64_t i = 0; i < count; ++i)
      copy_row(rows + i * pitch, size, reinterpret_cast<T*>(words) + i * pitch);
    return words;
  }
}

// y [count, columns] = x [count, depth] times packed panels; some more rows than `count` are computed,
// so that tiles are whole.
template <typename T>
PY4CAST_INLINE void multiply_rows(const Packed<T>* x, int64_t count, int64_t depth, int64_t columns,
                                  const Compute<T>* packed, Compute<T>* y) {
  const int64_t x_row = packed_columns(depth) / per_operand<T>, y_row = packed_columns(columns);
  for_column_tiles<T>(columns, [&](auto tile, int64_t column) {
    constexpr int vectors = decltype(tile)::vectors, step = decltype(tile)::rows;
    for (int64_t r = 0; r < count; r += step)
      linear_tile<step, vectors, T>(x + r * x_row, x_row, packed_depth<T>(depth),
                                    packed + (depth + 1) * column, y_row, vectors * lanes<T>,
                                    y + r * y_row + column);
  });
}

// Words of two rows each: those that are added by a product along the rows. `to` is written.
template <typename T>
PY4CAST_INLINE const Packed<T>* along_rows(const Packed<T>* rows, int64_t count, int64_t size,
                                           Packed<T>* to) {
  if constexpr (!by_pairs<T>) {
    return rows;
  } else {
    const int64_t pitch = packed_columns(size);
    const auto words = [&](int64_t r, int64_t i) {
      const T* const at = reinterpret_cast<const T*>(rows) + r * pitch + i;
      return r < count ? reinterpret_cast<Words>(load(at)) : Words{};
    };
    for (int64_t r = 0; r < count; r += 2)
      for (int64_t i = 0; i < pitch; i += lanes<T>)
        store(to + r / 2 * pitch + i, words(r, i) >> 16 | words(r + 1, i));
    return to;
  }
}

// to [in, out] += transpose of x [count, in] times dy [count, out]
template <typename T>
PY4CAST_INLINE void add_weight_gradient(const Packed<T>* x, const Packed<T>* dy, int64_t count,
                                        int64_t in, int64_t out, Compute<T>* to) {
  const int64_t x_row = packed_columns(in), pitch = packed_columns(out);
  TileRows<Packed<T>, by_pairs<T> ? tile_rows / 2 : 0> x_words(0), dy_words(0);
  x = along_rows<T>(x, count, in, x_words.values);
  dy = along_rows<T>(dy, count, out, dy_words.values);
  const int64_t depth = packed_depth<T>(count);
  for_column_tiles<T>(out, [&](auto tile, int64_t column) {
    constexpr int most = decltype(tile)::rows, vectors = decltype(tile)::vectors;
    int64_t i = 0;
    const auto add = [&]<int step>(Rows<step>) {
      for (; i + step <= in; i += step)
        add_tile<step, vectors>(x + i, 1, x_row, dy + column, pitch, depth, to + i * pitch + column,
                                pitch);
    };
    add(Rows<most>{});
    add(Rows<4>{});
    add(Rows<1>{});
  });
}

// The number of the `place`-th row: edges are taken in the order of their receivers.
template <typename Kernel>
PY4CAST_INLINE int64_t row_at(const Kernel& k, int64_t place) {
  return k.order.size ? k.order[place] : place;
}

template <typename T>
PY4CAST_INLINE void prefetch_row(const T* row, int64_t size) {
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t i = 0; i < size; i += line) __builtin_prefetch(row + i, 0, 2);
}

// What `count` rows from `place` on bring to the activation, in z; those that follow, before `end`, are
// asked for. If there is a first layer, those of x stay in `rows`, as operands.
template <typename T, typename Kernel>
PY4CAST_INLINE void read_rows(const Kernel& k, int64_t sample, int64_t place, int64_t count,
                              int64_t end, Packed<T>* rows, Compute<T>* z) {
  const int64_t hidden = k.sizes.hidden, features = k.sizes.features();
  const int64_t pitch = packed_columns(features), z_row = packed_columns(hidden);
  const T* const x = k.x.data + sample * k.sizes.rows * features;
  const T* const senders = k.senders.data + sample * (k.senders.size / k.sizes.batch);
  const T* const receivers = k.receivers.data + sample * k.sizes.nodes * hidden;
  const auto copy = [&](auto* to) {
    for (int64_t i = 0; i < count; ++i)
      copy_row(x + row_at(k, place + i) * features, features, to + i * pitch);
    for (int64_t next = place + count; next < smaller(place + count + tile_rows, end); ++next) {
      const int64_t row = row_at(k, next);
      prefetch_row(x + row * features, features);
      if (k.sizes.nodes) prefetch_row(senders + k.from[row] * hidden, hidden);
    }
  };
  if (!k.sizes.in) {
    copy(z);
  } else {
    if constexpr (by_pairs<T>)
      copy(reinterpret_cast<T*>(rows));
    else
      copy(rows);
    multiply_rows<T>(rows, count, features, hidden, k.packed.data, z);
  }
  if (!k.sizes.nodes) return;
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

// Sums at nodes [first, last) of rows that come node by node; they are written when the next node
// begins. Nodes without a row get 0.
template <typename T>
class NodeSums {
 public:
  PY4CAST_INLINE NodeSums(T* rows, int64_t width, int64_t first, int64_t last)
      : rows_(rows), width_(width) {
    for (int64_t i = first * width; i < last * width; ++i) rows[i] = narrow<T>(0);
  }
  PY4CAST_INLINE void add(int64_t node, const Compute<T>* row) {
    if (node != node_) {
      write();
      node_ = node;
      copy_row(row, width_, sum_);
    } else {
      add_row(row, width_, sum_);
    }
  }
  PY4CAST_INLINE void write() const {
    if (node_ >= 0) copy_row(sum_, width_, rows_ + node_ * width_);
  }

 private:
  T* rows_;
  int64_t width_, node_ = -1;
  alignas(64) Compute<T> sum_[mlp_width];
};

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
      add_row(k.partial.data + chunk * k.sizes.gradients() + offset + i * pitch, columns, total);
  }
}

}  // namespace

template <typename T>
void MlpForward<T>::run(Level) const {
  using Number = Compute<T>;
  const int64_t in = sizes.in, hidden = sizes.hidden, out = sizes.out, chunks = sizes.chunks();
  const int64_t x_row = packed_columns(in), h_row = packed_columns(hidden),
                m_row = packed_columns(out);
  Number* const packed_last = packed.data + sizes.packed_first();
  if (in) pack_panels<T>(first.data, false, first_bias.data, in, hidden, packed.data);
  pack_panels<T>(last.data, false, last_bias.data, hidden, out, packed_last);
#pragma omp parallel for schedule(dynamic)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    TileRows<Packed<T>> operands(larger(x_row, h_row));
    TileRows<Number> h(h_row), m(m_row);
    for_parts(
        sizes, offsets.data, chunk,
        [&](int64_t sample, int64_t first_result, int64_t last_result, int64_t row, int64_t end) {
          T* const results = y.data + sample * sizes.results() * out;
          NodeSums<T> sums(results, out, first_result, sizes.nodes ? last_result : first_result);
          for (; row < end; row += tile_rows) {
            const int64_t count = smaller(tile_rows, end - row);
            read_rows<T>(*this, sample, row, count, end, operands.values, h.values);
            for (int64_t i = 0; i < count; ++i) activate_row(hidden, h.values + i * h_row);
            multiply_rows<T>(operands_of<T>(h.values, count, hidden, operands.values), count,
                             hidden, out, packed_last, m.values);
            for (int64_t i = 0; i < count; ++i) {
              Number* const message = m.values + i * m_row;
              if (gamma.size) normalise_row(gamma.data, beta.data, out, epsilon, message);
              if (!sizes.nodes) {
                copy_row(message, out, results + (row + i) * out);
                continue;
              }
              const int64_t node = to[row_at(*this, row + i)];
              if (mean) multiply_row(mean_factor<Number>(mean, offsets.data, node), out, message);
              sums.add(node, message);
            }
          }
          sums.write();
        });
  }
}

template <typename T>
void MlpBackward<T>::run(Level) const {
  using Number = Compute<T>;
  const int64_t in = sizes.in, hidden = sizes.hidden, out = sizes.out, chunks = sizes.chunks();
  const int64_t x_row = packed_columns(in), h_row = packed_columns(hidden),
                m_row = packed_columns(out);
  Number* const packed_last = packed.data + sizes.packed_first();
  Number* const last_transpose = packed.data + sizes.packed_forward();
  Number* const first_transpose = last_transpose + sizes.packed(out, hidden);
  if (in) {
    pack_panels<T>(first.data, false, first_bias.data, in, hidden, packed.data);
    pack_panels<T>(first.data, true, nullptr, hidden, in, first_transpose);
  }
  pack_panels<T>(last.data, false, last_bias.data, hidden, out, packed_last);
  pack_panels<T>(last.data, true, nullptr, out, hidden, last_transpose);
#pragma omp parallel for schedule(dynamic)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    Number* const sums = partial.data + chunk * sizes.gradients();
    for (int64_t i = 0; i < sizes.gradients(); ++i) sums[i] = 0;
    Number* const bias_sums = sums + hidden * m_row;
    Number* const gamma_sums = bias_sums + m_row;
    Number* const beta_sums = gamma_sums + m_row;
    Number* const first_sums = sums + sizes.last_gradients();
    TileRows<Number> z(h_row), h(larger(h_row, x_row)), m(m_row);
    TileRows<Packed<T>> x_operands(x_row), h_operands(h_row), gradients(larger(h_row, m_row));
    for_parts(
        sizes, offsets.data, chunk,
        [&](int64_t sample, int64_t first_result, int64_t last_result, int64_t row, int64_t end) {
          const T* const slopes = dy.data + sample * sizes.results() * out;
          NodeSums<T> node_sums(dreceivers.data + sample * sizes.nodes * hidden, hidden,
                                first_result, dreceivers.size ? last_result : first_result);
          for (; row < end; row += tile_rows) {
            const int64_t count = smaller(tile_rows, end - row);
            read_rows<T>(*this, sample, row, count, end, x_operands.values, z.values);
            for (int64_t i = 0; i < count; ++i)
              activate_row_with_slope(z.values + i * h_row, hidden, h.values + i * h_row);
            const Packed<T>* const h_rows =
                operands_of<T>(h.values, count, hidden, h_operands.values);
            if (gamma.size) multiply_rows<T>(h_rows, count, hidden, out, packed_last, m.values);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = row_at(*this, row + i), result = sizes.nodes ? to[edge] : edge;
              const Number factor =
                  sizes.nodes ? mean_factor<Number>(mean, offsets.data, result) : Number(1);
              Number* const dm = m.values + i * m_row;
              if (gamma.size) {
                norm_gradient_row(slopes + result * out, factor, gamma.data, out, epsilon, dm,
                                  gamma_sums, beta_sums);
              } else {
                for (int64_t c = 0; c < out; ++c) dm[c] = factor * widen(slopes[result * out + c]);
              }
              add_row(dm, out, bias_sums);
            }
            const Packed<T>* const dm_rows = operands_of<T>(m.values, count, out, gradients.values);
            add_weight_gradient<T>(h_rows, dm_rows, count, hidden, out, sums);
            multiply_rows<T>(dm_rows, count, out, hidden, last_transpose, h.values);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = row_at(*this, row + i);
              Number* const gradient = z.values + i * h_row;
              multiply_row(h.values + i * h_row, hidden, gradient);
              if (dz.size)
                copy_row(gradient, hidden, dz.data + (sample * sizes.rows + edge) * hidden);
              if (dreceivers.size) node_sums.add(to[edge], gradient);
              if (in) add_row(gradient, hidden, first_sums + in * h_row);
            }
            if (!in) continue;
            const Packed<T>* const dz_rows =
                operands_of<T>(z.values, count, hidden, gradients.values);
            add_weight_gradient<T>(x_operands.values, dz_rows, count, in, hidden, first_sums);
            if (!dx.size) continue;
            multiply_rows<T>(dz_rows, count, hidden, in, first_transpose, h.values);
            for (int64_t i = 0; i < count; ++i)
              copy_row(h.values + i * x_row, in,
                       dx.data + (sample * sizes.rows + row_at(*this, row + i)) * in);
          }
          if (dreceivers.size) node_sums.write();
        });
  }
  add_chunks(*this, 0, hidden, out, dlast);
  add_chunks(*this, hidden * m_row, 1, out, dlast_bias);
  add_chunks(*this, (hidden + 1) * m_row, 1, out, dgamma);
  add_chunks(*this, (hidden + 2) * m_row, 1, out, dbeta);
  add_chunks(*this, sizes.last_gradients(), in, hidden, dfirst);
  add_chunks(*this, sizes.last_gradients() + in * h_row, 1, hidden, dfirst_bias);
}

}  // namespace py4cast
