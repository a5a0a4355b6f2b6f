// For *.simd.cpp and *.amx.cpp files: what the kernels of MLPs do with one row, and rows as operands of
// products.
#pragma once

#include "kernels/common/vector.h"
#include "kernels/ops/activation_math.h"
#include "kernels/products/mlp_kernels.h"

namespace py4cast {
namespace {

// `rows` rows of at most mlp_width numbers, `row` apart.
template <typename T, int64_t rows>
struct alignas(64) Rows {
  T values[rows * mlp_width + 1];
  // Rows beyond those that are used go through products, too.
  PY4CAST_INLINE explicit Rows(int64_t row) {
    for (int64_t i = 0; i < rows * row; ++i) values[i] = 0;
  }
};

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
// The same with zeros up to the next row.
template <typename From, typename To>
PY4CAST_INLINE void copy_padded(const From* from, int64_t size, int64_t row, To* to) {
  for_vectors<From>(size, [=](int64_t i, auto part) { store(to + i, part.read(from + i)); });
  for (int64_t i = (size + lanes<To> - 1) / lanes<To> * lanes<To>; i < row; i += lanes<To>)
    store(to + i, Vector<To>{});
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

// Rows become operands of products as Packed<T>: in bf16, where the processor has products of pairs,
// hidden features and gradients are rounded to it, as between the elementary ops, and two numbers are
// one operand; else they stay what they are.
template <typename T>
constexpr int64_t per_operand = by_pairs<T> ? 2 : 1;
template <typename T>
PY4CAST_INLINE const Packed<T>* operands_of(const Compute<T>* rows, int64_t count, int64_t size,
                                            int64_t row, Packed<T>* words) {
  if constexpr (!by_pairs<T>) {
    return rows;
  } else {
    for (int64_t i = 0; i < count; ++i)
      copy_padded(rows + i * packed_columns(size), size, row,
                  reinterpret_cast<bfloat16*>(words) + i * row);
    return words;
  }
}

// What a product along the rows adds at a time: the i-th and following numbers of the rows r and r + 1,
// which are `row` apart; those from `count` on are 0.
PY4CAST_INLINE Words two_rows(const uint32_t* rows, int64_t row, int64_t count, int64_t r,
                              int64_t i) {
  const auto upper = [=](int64_t at) {
    const auto* const from = reinterpret_cast<const bfloat16*>(rows) + at * row + i;
    return at < count ? reinterpret_cast<Words>(load(from)) : Words{};
  };
  return upper(r) >> 16 | upper(r + 1);
}

}  // namespace
}  // namespace py4cast
