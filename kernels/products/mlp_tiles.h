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

// The operands of `count` rows from `place` on, where they lie or in `rows`; those that follow, before
// `end`, are asked for.
template <typename Products, typename T, typename Kernel>
PY4CAST_INLINE const Packed<T>* read_rows(const Kernel& k, int64_t in, int64_t hidden,
                                          int64_t sample, int64_t place, int64_t count, int64_t end,
                                          Packed<T>* rows) {
  const int64_t features = in ? in : hidden, pitch = Products::operand_row(in);
  const T* const x = k.x.data + sample * k.sizes.rows * features;
  const T* const senders = k.senders.data + sample * (k.senders.size / k.sizes.batch);
  const int64_t ahead = smaller(place + count + Products::block_rows, end);
  for (int64_t next = place + count; next < ahead; ++next) {
    const int64_t row = row_at(k, next);
    prefetch_row(x + row * features, features);
    if (k.sizes.nodes) prefetch_row(senders + k.from[row] * hidden, hidden);
  }
  if constexpr (sizeof(Operand<T>) == sizeof(T))
    if (in == pitch && count == Products::block_rows && !k.order.size)
      return reinterpret_cast<const Packed<T>*>(x + place * features);
  if (in)
    for (int64_t i = 0; i < count; ++i)
      copy_operands(x + row_at(k, place + i) * features, in, pitch,
                    operands_in<T>(rows) + i * pitch);
  return rows;
}

// Calls f(i, z) for each of these rows: z(j, part) is what comes to the activation from the row's j-th
// number on, where there is a first layer with its results, `first`.
template <typename T, typename Kernel, typename F>
PY4CAST_INLINE void for_activations(const Kernel& k, int64_t in, int64_t hidden, int64_t sample,
                                    int64_t place, int64_t count, const Compute<T>* first, F&& f) {
  const T* const x = k.x.data + sample * k.sizes.rows * hidden;
  const T* const senders = k.senders.data + sample * (k.senders.size / k.sizes.batch);
  const T* const receivers = k.receivers.data + sample * k.sizes.results() * hidden;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = row_at(k, place + i);
    const auto with = [&](auto&& z) {
      if (!k.receivers.size) return f(i, z);
      const T* const receiver = receivers + (k.sizes.nodes ? k.to[row] : row) * hidden;
      if (!k.sizes.nodes)
        return f(i, [=](int64_t j, auto part) { return z(j, part) + part.read(receiver + j); });
      const T* const sender = senders + k.from[row] * hidden;
      f(i, [=](int64_t j, auto part) {
        return z(j, part) + part.read(sender + j) + part.read(receiver + j);
      });
    };
    if (in)
      with([=, from = first + i * packed_columns(hidden)](int64_t j, auto part) {
        return part.read(from + j);
      });
    else
      with([=, from = x + row * hidden](int64_t j, auto part) { return part.read(from + j); });
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

// Packs the last layer, centred where a layer norm follows.
template <typename Products, typename Kernel, typename Number>
PY4CAST_INLINE void pack_last(const Kernel& k, Number* packed) {
  const int64_t hidden = k.sizes.hidden, out = k.sizes.out;
  const Number *w = k.last.data, *bias = k.last_bias.data;
  if (k.gamma.size) {
    Number* const centred = packed + k.sizes.packed_last();
    centre_rows(w, hidden, out, centred);
    centre_rows(bias, 1, out, centred + hidden * out);
    w = centred;
    bias = centred + hidden * out;
  }
  Products::pack(w, false, bias, hidden, out, packed);
}

// Calls f(in, hidden, out): where layers have the usual width, as constants, so that the loops over a row
// become straight code.
template <typename F>
PY4CAST_INLINE void with_widths(const MlpSizes& sizes, F&& f) {
  constexpr Constant<64> usual;
  if (sizes.hidden != usual || sizes.out != usual)
    f(sizes.in, sizes.hidden, sizes.out);
  else if (sizes.in != usual)
    f(sizes.in, usual, usual);
  else
    f(usual, usual, usual);
}

template <typename Products, typename T, typename In, typename Width>
PY4CAST_INLINE void forward(const MlpForward<T>& k, In in, Width hidden, Width out) {
  using Number = Compute<T>;
  constexpr int64_t block_rows = Products::block_rows;
  const MlpSizes& sizes = k.sizes;
  const int64_t chunks = sizes.chunks();
  const int64_t x_row = Products::operand_row(in), h_row = Products::operand_row(hidden);
  const int64_t z_row = packed_columns(hidden), m_row = packed_columns(out);
  Number* const packed_last = k.packed.data + sizes.packed_first();
  if (in) Products::pack(k.first.data, false, k.first_bias.data, in, hidden, k.packed.data);
  pack_last<Products>(k, packed_last);
#pragma omp parallel for schedule(dynamic) if (chunks > 1)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    Products products;
    Rows<Packed<T>, block_rows> words(larger(x_row, h_row));
    Rows<Number, block_rows> z(z_row), m(m_row);
    for_parts(
        sizes, k.offsets.data, chunk,
        [&](int64_t sample, int64_t first_result, int64_t last_result, int64_t row, int64_t end) {
          const int64_t rows_before = sample * sizes.rows;
          NodeSums<T> sums(k.y.data + sample * sizes.nodes * out, out, first_result,
                           sizes.nodes ? last_result : first_result);
          for (; row < end; row += block_rows) {
            const int64_t count = smaller(block_rows, end - row);
            const Packed<T>* const x =
                read_rows<Products, T>(k, in, hidden, sample, row, count, end, words.values);
            if (in) products.multiply(x, count, in, hidden, k.packed.data, z.values);
            Packed<T>* const h = operands_of<T>(z.values, words.values);
            for_activations<T>(
                k, in, hidden, sample, row, count, z.values, [&](int64_t i, auto&& from) {
                  activate_row<T>(hidden, h_row, from, operands_in<T>(h) + i * h_row);
                });
            products.multiply(h, count, hidden, out, packed_last, m.values);
            const bool directly = k.gamma.size && !sizes.nodes && !k.base.size;
            if (k.gamma.size)
              for_rows_together<T>(
                  count, [&](auto rows, int64_t i) __attribute__((always_inline)) {
                    const auto normalise = [&](auto* to, int64_t pitch)
                        __attribute__((always_inline)) {
                      normalise_rows<rows>(m.values + i * m_row, m_row, k.gamma.data, k.beta.data,
                                           out, k.epsilon, to, pitch);
                    };
                    if (directly)
                      normalise(k.rows.data + (rows_before + row + i) * out, out);
                    else
                      normalise(m.values + i * m_row, m_row);
                  });
            if (directly) continue;
            for (int64_t i = 0; i < count; ++i) {
              Number* const message = m.values + i * m_row;
              const int64_t edge = row_at(k, row + i), at = (rows_before + edge) * out;
              if (k.rows.size)
                write_sum<T>(message, k.base.size ? k.base.data + at : nullptr, out,
                             k.rows.data + at);
              if (!sizes.nodes) continue;
              if (k.mean)
                multiply_row(mean_factor<Number>(k.mean, k.offsets.data, k.to[edge]), out, message);
              sums.add(k.to[edge], message);
            }
          }
          sums.end();
        });
  }
}

template <typename Products, typename T, typename In, typename Width>
PY4CAST_INLINE void backward(const MlpBackward<T>& k, In in, Width hidden, Width out) {
  using Number = Compute<T>;
  constexpr int64_t block_rows = Products::block_rows;
  const MlpSizes& sizes = k.sizes;
  const int64_t chunks = sizes.chunks();
  const int64_t x_row = Products::operand_row(in), h_row = Products::operand_row(hidden),
                dm_row = Products::operand_row(out);
  const int64_t dx_row = packed_columns(in), z_row = packed_columns(hidden),
                m_row = packed_columns(out);
  Number* const packed_last = k.packed.data + sizes.packed_first();
  Number* const last_transpose = k.packed.data + sizes.packed_forward();
  Number* const first_transpose = last_transpose + sizes.packed(out, hidden);
  if (in) {
    Products::pack(k.first.data, false, k.first_bias.data, in, hidden, k.packed.data);
    Products::pack(k.first.data, true, nullptr, hidden, in, first_transpose);
  }
  pack_last<Products>(k, packed_last);
  Products::pack(k.last.data, true, nullptr, out, hidden, last_transpose);
#pragma omp parallel for schedule(dynamic) if (chunks > 1)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    Number* const sums = k.partial.data + chunk * sizes.gradients();
    for (int64_t i = 0; i < sizes.gradients(); ++i) sums[i] = 0;
    Number* const bias_sums = sums + sizes.weight_gradient(hidden, out);
    Number* const gamma_sums = bias_sums + m_row;
    Number* const beta_sums = gamma_sums + m_row;
    Number* const first_sums = sums + sizes.last_gradients();
    Number* const first_bias_sums = first_sums + sizes.weight_gradient(in, hidden);
    Products products;
    // h is in `gradient`, where operands are no words, and the gradient that follows takes its place.
    Rows<Number, block_rows> slope(z_row), gradient(larger(z_row, dx_row)), m(m_row);
    Rows<Packed<T>, block_rows> x_words(x_row), h_words(h_row),
        gradient_words(larger(h_row, dm_row));
    for_parts(
        sizes, k.offsets.data, chunk,
        [&](int64_t sample, int64_t first_result, int64_t last_result, int64_t row, int64_t end) {
          const T* const dy = k.dy.data + sample * sizes.nodes * out;
          const T* const drows = k.drows.size ? k.drows.data + sample * sizes.rows * out : nullptr;
          NodeSums<T> node_sums(k.dreceivers.data + sample * sizes.nodes * hidden, hidden,
                                first_result, k.dreceivers.size ? last_result : first_result);
          for (; row < end; row += block_rows) {
            const int64_t count = smaller(block_rows, end - row);
            const Packed<T>* const x =
                read_rows<Products, T>(k, in, hidden, sample, row, count, end, x_words.values);
            if (in) products.multiply(x, count, in, hidden, k.packed.data, slope.values);
            Packed<T>* const h = operands_of<T>(gradient.values, h_words.values);
            for_activations<T>(
                k, in, hidden, sample, row, count, slope.values, [&](int64_t i, auto&& z) {
                  activate_row_with_slope<T>(hidden, h_row, z, operands_in<T>(h) + i * h_row,
                                             slope.values + i * z_row);
                });
            if (k.gamma.size) products.multiply(h, count, hidden, out, packed_last, m.values);
            Packed<T>* const dm = operands_of<T>(m.values, gradient_words.values);
            for_rows_together<T>(
                count, [&](auto rows, int64_t i) __attribute__((always_inline)) {
                  const T *sum[rows], *own[rows];  // the gradients of its node's sum and of its row
                  Number factor[rows];
                  for (int r = 0; r < rows; ++r) {
                    const int64_t edge = row_at(k, row + i + r);
                    own[r] = drows ? drows + edge * out : nullptr;
                    if (!sizes.nodes) continue;
                    const int64_t node = k.to[edge];
                    sum[r] = dy + node * out;
                    factor[r] = mean_factor<Number>(k.mean, k.offsets.data, node);
                  }
                  const auto with = [&](auto&& given) {
                    Operand<T>* const to = operands_in<T>(dm) + i * dm_row;
                    if (k.gamma.size)
                      norm_gradient_rows<rows, T>(given, k.gamma.data, out, k.epsilon,
                                                  m.values + i * m_row, m_row, to, dm_row,
                                                  gamma_sums, beta_sums, bias_sums);
                    else
                      copy_gradient_rows<rows, T>(given, out, to, dm_row, bias_sums);
                  };
                  if (!sizes.nodes)
                    with([&](int r, int64_t j, auto part) { return part.read(own[r] + j); });
                  else if (k.drows.size)
                    with([&](int r, int64_t j, auto part) {
                      return part.read(sum[r] + j) * factor[r] + part.read(own[r] + j);
                    });
                  else
                    with([&](int r, int64_t j, auto part) {
                      return part.read(sum[r] + j) * factor[r];
                    });
                });
            products.add_weight_gradient(h, dm, count, hidden, out, sums);
            products.multiply(dm, count, out, hidden, last_transpose, gradient.values);
            Packed<T>* const dz = operands_of<T>(slope.values, gradient_words.values);
            for_rows_together<T>(
                count, [&](auto rows, int64_t i) __attribute__((always_inline)) {
                  multiply_rows<rows, T>(
                      gradient.values + i * z_row, hidden, z_row, slope.values + i * z_row,
                      in ? operands_in<T>(dz) + i * h_row : nullptr, h_row, first_bias_sums);
                });
            // x may lie where dz will.
            if (in) products.add_weight_gradient(x, dz, count, in, hidden, first_sums);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = row_at(k, row + i);
              const Number* const from = slope.values + i * z_row;
              if (k.dz.size)
                copy_row(from, hidden, k.dz.data + (sample * sizes.rows + edge) * hidden);
              if (k.dreceivers.size) node_sums.add(k.to[edge], from);
            }
            if (!in || !k.dx.size) continue;
            products.multiply(dz, count, hidden, in, first_transpose, gradient.values);
            for (int64_t i = 0; i < count; ++i) {
              const int64_t edge = row_at(k, row + i);
              write_sum<T>(gradient.values + i * dx_row,
                           sizes.nodes && drows ? drows + edge * out : nullptr, in,
                           k.dx.data + (sample * sizes.rows + edge) * in);
            }
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
PY4CAST_INLINE void multiply_in_place(const ProductInPlace<T>& k) {
  constexpr int64_t block_rows = Products::block_rows;
  const int64_t features = k.features, row = Products::operand_row(features),
                pitch = packed_columns(features), blocks = (k.count + block_rows - 1) / block_rows;
  Products::pack(k.weight.data, true, nullptr, features, features, k.packed.data);
#pragma omp parallel if (k.count * features * features > 65536)
  {
    Products products;
    Rows<Packed<T>, block_rows> operands(row);
    Rows<Compute<T>, block_rows> result(pitch);
#pragma omp for schedule(static)
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t first = block * block_rows, count = smaller(block_rows, k.count - first);
      T* const rows = k.rows.data + first * features;
      for (int64_t i = 0; i < count; ++i)
        copy_operands(rows + i * features, features, row,
                      operands_in<T>(operands.values) + i * row);
      products.multiply(operands.values, count, features, features, k.packed.data, result.values);
      for (int64_t i = 0; i < count; ++i)
        copy_row(result.values + i * pitch, features, rows + i * features);
    }
  }
}

template <typename Products, typename T>
PY4CAST_INLINE void forward(const MlpForward<T>& k) {
  with_widths(k.sizes,
              [&](auto in, auto hidden, auto out) { forward<Products>(k, in, hidden, out); });
}
template <typename Products, typename T>
PY4CAST_INLINE void backward(const MlpBackward<T>& k) {
  with_widths(k.sizes,
              [&](auto in, auto hidden, auto out) { backward<Products>(k, in, hidden, out); });
}

}  // namespace
}  // namespace py4cast
