// For *.simd.cpp and *.amx.cpp files, which instantiate it with their products: some rows go through all
// layers together, in the first two caches. What comes in and goes out is of Products::Element, T; the
// rest is Compute<T>. Products are an object for each thread:
//   block_rows: rows that go together;  operand_row(size): from one row of operands to the next, in T
//   pack(w [depth, columns] or its transpose, transposed, bias or null, depth, columns, packed)
//   multiply(x, count, depth, columns, packed, y): y [count, columns] = x [count, depth] w + bias; some
//     more rows are computed, so that tiles are whole
//   add_weight_gradient(x, dy, count, in, out, to): to [in, out] += transpose of x [count, in] times
//     dy [count, out]
// x and dy are operands (mlp_rows.h). Rows of y and `to` are packed_columns apart, and may be written in
// all of these; so may rows of `to` up to a multiple of 16.
#pragma once

#include "kernels/common/simd.h"
#include "kernels/products/mlp_rows.h"

namespace py4cast {
namespace {

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
template <typename Products, typename T, typename Kernel>
PY4CAST_INLINE void read_rows(Products& products, const Kernel& k, int64_t hidden, int64_t sample,
                              int64_t place, int64_t count, int64_t end, Packed<T>* rows,
                              Compute<T>* z) {
  const int64_t features = k.sizes.in ? k.sizes.in : hidden;
  const int64_t z_row = packed_columns(hidden);
  const T* const x = k.x.data + sample * k.sizes.rows * features;
  const T* const senders = k.senders.data + sample * (k.senders.size / k.sizes.batch);
  const T* const receivers = k.receivers.data + sample * k.sizes.nodes * hidden;
  const auto copy = [&](auto* to, int64_t pitch) {
    for (int64_t i = 0; i < count; ++i)
      copy_padded(x + row_at(k, place + i) * features, features, pitch, to + i * pitch);
    const int64_t ahead = smaller(place + count + Products::block_rows, end);
    for (int64_t next = place + count; next < ahead; ++next) {
      const int64_t row = row_at(k, next);
      prefetch_row(x + row * features, features);
      if (k.sizes.nodes) prefetch_row(senders + k.from[row] * hidden, hidden);
    }
  };
  if (!k.sizes.in) {
    copy(z, z_row);
  } else {
    const int64_t pitch = Products::operand_row(features);
    if constexpr (by_pairs<T>)
      copy(reinterpret_cast<T*>(rows), pitch);
    else
      copy(rows, pitch);
    products.multiply(rows, count, features, hidden, k.packed.data, z);
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
      : rows_(rows), width_(width), next_(first), last_(last) {}
  PY4CAST_INLINE void add(int64_t node, const Compute<T>* row) {
    if (node != node_) {
      write();
      node_ = node;
      copy_row(row, width_, sum_);
    } else {
      add_row(row, width_, sum_);
    }
  }
  PY4CAST_INLINE void end() {
    write();
    clear(last_);
  }

 private:
  PY4CAST_INLINE void write() {
    if (node_ < 0) return;
    clear(node_);
    copy_row(sum_, width_, rows_ + next_++ * width_);
  }
  PY4CAST_INLINE void clear(int64_t end) {
    for (; next_ < end; ++next_)
      for (int64_t i = 0; i < width_; ++i) rows_[next_ * width_ + i] = narrow<T>(0);
  }

  T* rows_;
  int64_t width_, next_, last_, node_ = -1;
  alignas(64) Compute<T> sum_[mlp_width] = {};
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

// Calls f(hidden, out): where all layers have the usual width, as constants, so that the loops over a row
// become straight code.
constexpr int64_t usual_width = 64;
template <int64_t n>
struct Constant {
  PY4CAST_INLINE constexpr operator int64_t() const { return n; }
};
template <typename F>
PY4CAST_INLINE void with_widths(const MlpSizes& sizes, F&& f) {
  if (sizes.hidden == usual_width && sizes.out == usual_width)
    f(Constant<usual_width>{}, Constant<usual_width>{});
  else
    f(sizes.hidden, sizes.out);
}

template <typename Products, typename T, typename Width>
PY4CAST_INLINE void forward(const MlpForward<T>& k, Width hidden, Width out) {
  using Number = Compute<T>;
  constexpr int64_t block_rows = Products::block_rows;
  const MlpSizes& sizes = k.sizes;
  const int64_t in = sizes.in, chunks = sizes.chunks();
  const int64_t x_row = Products::operand_row(in), h_operand_row = Products::operand_row(hidden);
  const int64_t h_row = packed_columns(hidden), m_row = packed_columns(out);
  Number* const packed_last = k.packed.data + sizes.packed_first();
  if (in) Products::pack(k.first.data, false, k.first_bias.data, in, hidden, k.packed.data);
  Products::pack(k.last.data, false, k.last_bias.data, hidden, out, packed_last);
#pragma omp parallel for schedule(dynamic)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    Products products;
    Rows<Packed<T>, block_rows> operands(larger(x_row, h_operand_row));
    Rows<Number, block_rows> h(h_row), m(m_row);
    for_parts(
        sizes, k.offsets.data, chunk,
        [&](int64_t sample, int64_t first_result, int64_t last_result, int64_t row, int64_t end) {
          T* const results = k.y.data + sample * sizes.results() * out;
          NodeSums<T> sums(results, out, first_result, sizes.nodes ? last_result : first_result);
          for (; row < end; row += block_rows) {
            const int64_t count = smaller(block_rows, end - row);
            read_rows<Products, T>(products, k, hidden, sample, row, count, end, operands.values,
                                   h.values);
            for (int64_t i = 0; i < count; ++i) activate_row(hidden, h.values + i * h_row);
            products.multiply(
                operands_of<T>(h.values, count, hidden, h_operand_row, operands.values), count,
                hidden, out, packed_last, m.values);
            for (int64_t i = 0; i < count; ++i) {
              Number* const message = m.values + i * m_row;
              if (k.gamma.size) normalise_row(k.gamma.data, k.beta.data, out, k.epsilon, message);
              if (!sizes.nodes) {
                copy_row(message, out, results + (row + i) * out);
                continue;
              }
              const int64_t node = k.to[row_at(k, row + i)];
              if (k.mean)
                multiply_row(mean_factor<Number>(k.mean, k.offsets.data, node), out, message);
              sums.add(node, message);
            }
          }
          sums.end();
        });
  }
}

template <typename Products, typename T, typename Width>
PY4CAST_INLINE void backward(const MlpBackward<T>& k, Width hidden, Width out) {
  using Number = Compute<T>;
  constexpr int64_t block_rows = Products::block_rows;
  const MlpSizes& sizes = k.sizes;
  const int64_t in = sizes.in, chunks = sizes.chunks();
  const int64_t x_row = packed_columns(in), h_row = packed_columns(hidden),
                m_row = packed_columns(out);
  const int64_t x_operand_row = Products::operand_row(in),
                h_operand_row = Products::operand_row(hidden),
                m_operand_row = Products::operand_row(out);
  Number* const packed_last = k.packed.data + sizes.packed_first();
  Number* const last_transpose = k.packed.data + sizes.packed_forward();
  Number* const first_transpose = last_transpose + sizes.packed(out, hidden);
  if (in) {
    Products::pack(k.first.data, false, k.first_bias.data, in, hidden, k.packed.data);
    Products::pack(k.first.data, true, nullptr, hidden, in, first_transpose);
  }
  Products::pack(k.last.data, false, k.last_bias.data, hidden, out, packed_last);
  Products::pack(k.last.data, true, nullptr, out, hidden, last_transpose);
#pragma omp parallel for schedule(dynamic)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    Number* const sums = k.partial.data + chunk * sizes.gradients();
    for (int64_t i = 0; i < sizes.gradients(); ++i) sums[i] = 0;
    Number* const bias_sums = sums + sizes.weight_gradient(hidden, out);
    Number* const gamma_sums = bias_sums + m_row;
    Number* const beta_sums = gamma_sums + m_row;
    Number* const first_sums = sums + sizes.last_gradients();
    Number* const first_bias_sums = first_sums + sizes.weight_gradient(in, hidden);
    Products products;
    Rows<Number, block_rows> z(h_row), h(larger(h_row, x_row)), m(m_row);
    Rows<Packed<T>, block_rows> x_operands(x_operand_row), h_operands(h_operand_row),
        gradients(larger(h_operand_row, m_operand_row));
    for_parts(
        sizes, k.offsets.data, chunk,
        [&](int64_t sample, int64_t first_result, int64_t last_result, int64_t row, int64_t end) {
          const T* const slopes = k.dy.data + sample * sizes.results() * out;
          NodeSums<T> node_sums(k.dreceivers.data + sample * sizes.nodes * hidden, hidden,
                                first_result, k.dreceivers.size ? last_result : first_result);
          for (; row < end; row += block_rows) {
            const int64_t count = smaller(block_rows, end - row);
            read_rows<Products, T>(products, k, hidden, sample, row, count, end, x_operands.values,
                                   z.values);
            for (int64_t i = 0; i < count; ++i)
              activate_row_with_slope(z.values + i * h_row, hidden, h.values + i * h_row);
            const Packed<T>* const h_rows =
                operands_of<T>(h.values, count, hidden, h_operand_row, h_operands.values);
            if (k.gamma.size) products.multiply(h_rows, count, hidden, out, packed_last, m.values);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = row_at(k, row + i), result = sizes.nodes ? k.to[edge] : edge;
              const Number factor =
                  sizes.nodes ? mean_factor<Number>(k.mean, k.offsets.data, result) : Number(1);
              Number* const dm = m.values + i * m_row;
              if (k.gamma.size) {
                norm_gradient_row(slopes + result * out, factor, k.gamma.data, out, k.epsilon, dm,
                                  gamma_sums, beta_sums);
              } else {
                for (int64_t c = 0; c < out; ++c) dm[c] = factor * widen(slopes[result * out + c]);
              }
              add_row(dm, out, bias_sums);
            }
            const Packed<T>* const dm_rows =
                operands_of<T>(m.values, count, out, m_operand_row, gradients.values);
            products.add_weight_gradient(h_rows, dm_rows, count, hidden, out, sums);
            products.multiply(dm_rows, count, out, hidden, last_transpose, h.values);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = row_at(k, row + i);
              Number* const gradient = z.values + i * h_row;
              multiply_row(h.values + i * h_row, hidden, gradient);
              if (k.dz.size)
                copy_row(gradient, hidden, k.dz.data + (sample * sizes.rows + edge) * hidden);
              if (k.dreceivers.size) node_sums.add(k.to[edge], gradient);
              if (in) add_row(gradient, hidden, first_bias_sums);
            }
            if (!in) continue;
            const Packed<T>* const dz_rows =
                operands_of<T>(z.values, count, hidden, h_operand_row, gradients.values);
            products.add_weight_gradient(x_operands.values, dz_rows, count, in, hidden, first_sums);
            if (!k.dx.size) continue;
            products.multiply(dz_rows, count, hidden, in, first_transpose, h.values);
            for (int64_t i = 0; i < count; ++i)
              copy_row(h.values + i * x_row, in,
                       k.dx.data + (sample * sizes.rows + row_at(k, row + i)) * in);
          }
          if (k.dreceivers.size) node_sums.end();
        });
  }
  add_chunks(k, 0, hidden, out, k.dlast);
  const int64_t last_bias = sizes.weight_gradient(hidden, out);
  add_chunks(k, last_bias, 1, out, k.dlast_bias);
  add_chunks(k, last_bias + m_row, 1, out, k.dgamma);
  add_chunks(k, last_bias + 2 * m_row, 1, out, k.dbeta);
  add_chunks(k, sizes.last_gradients(), in, hidden, k.dfirst);
  add_chunks(k, sizes.last_gradients() + sizes.weight_gradient(in, hidden), 1, hidden,
             k.dfirst_bias);
}

template <typename Products, typename T>
PY4CAST_INLINE void forward(const MlpForward<T>& k) {
  with_widths(k.sizes, [&](auto hidden, auto out) { forward<Products>(k, hidden, out); });
}
template <typename Products, typename T>
PY4CAST_INLINE void backward(const MlpBackward<T>& k) {
  with_widths(k.sizes, [&](auto hidden, auto out) { backward<Products>(k, hidden, out); });
}

}  // namespace
}  // namespace py4cast
