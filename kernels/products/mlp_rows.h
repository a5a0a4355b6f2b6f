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

// Some rows go through a layer norm together: their sums over lanes take fewer instructions.
template <typename T>
constexpr int rows_together = lanes<T> < 4 ? 1 : 4;
template <int64_t n>
struct Constant {
  PY4CAST_INLINE constexpr operator int64_t() const { return n; }
};
// f(Constant<number of rows>, first row)
template <typename T, typename F>
PY4CAST_INLINE void for_rows_together(int64_t count, F&& f) {
  constexpr int n = rows_together<T>;
  int64_t i = 0;
  for (; i + n <= count; i += n) f(Constant<n>{}, i);
  if constexpr (n > 1)
    for (; i < count; ++i) f(Constant<1>{}, i);
}

// Lane i: the from[i]-th lane of a, then b.
template <typename V, typename Lanes>
PY4CAST_INLINE V shuffled(V a, V b, Lanes from) {
#ifdef __clang__  // which has no name for it with variable lanes
  constexpr int count = sizeof(a) / sizeof(a[0]);
  V to{};
  for (int i = 0; i < count; ++i) to[i] = from[i] < count ? a[from[i]] : b[from[i] - count];
  return to;
#else
  return __builtin_shuffle(a, b, from);
#endif
}
// Lane i: f(i).
template <typename Lanes, typename F>
PY4CAST_INLINE Lanes lanes_of(F&& f) {
  Lanes to{};
  for (int i = 0; i < static_cast<int>(sizeof(to) / sizeof(to[0])); ++i) to[i] = f(i);
  return to;
}
template <typename T>
using LaneNumbers = decltype(Vector<T>{} < Vector<T>{});

// A number of each of n rows, 1 or 4, in lanes; of(row): in all lanes.
template <typename T, int n>
struct PerRow {
  Vector<T> values;

  PY4CAST_INLINE Vector<T> of(int row) const {
    const int lane = (row & 1) * (lanes<T> / 2) + (row >> 1) * (lanes<T> / 4);
    return n == 1 ? values : shuffled(values, values, LaneNumbers<T>{} + lane);
  }
};
// Sums over lanes, by halves, so that the number of rows does not show in them.
template <typename T, int n>
PY4CAST_INLINE PerRow<T, n> sums_over_lanes(const Vector<T> (&x)[n]) {
  using Numbers = LaneNumbers<T>;
  const auto across = [](Vector<T> v, int half) {
    return v + shuffled(v, v, lanes_of<Numbers>([=](int i) { return i ^ half; }));
  };
  // Where a lane's number has the bit `half`, what b brings.
  const auto merged = [](Vector<T> a, Vector<T> b, int half) {
    const auto from = [=](int i) { return i & half ? lanes<T> + i : i; };
    return shuffled(a, b, lanes_of<Numbers>(from)) +
           shuffled(a, b, lanes_of<Numbers>([=](int i) { return from(i) ^ half; }));
  };
  constexpr int half = lanes<T> / 2;
  Vector<T> sums = x[0];
  if constexpr (n == 4) {
    sums = merged(merged(x[0], x[1], half), merged(x[2], x[3], half), half / 2);
  } else {
    static_assert(n == 1);
    sums = across(sums, half);
    if constexpr (half > 1) sums = across(sums, half / 2);
  }
  if constexpr (half > 2) sums = across(sums, half / 4);
  if constexpr (half > 4) sums = across(sums, half / 8);
  return {sums};
}

template <typename T>
PY4CAST_INLINE Vector<T> square_roots(Vector<T> x) {
  alignas(64) T values[lanes<T>];
  store(values, x);
#pragma omp simd
  for (int i = 0; i < lanes<T>; ++i) values[i] = square_root(values[i]);
  return load(values);
}

// With another type where needed.
template <typename From, typename To>
PY4CAST_INLINE void copy_row(const From* from, int64_t size, To* to) {
  for_vectors<From>(size, [=](int64_t i, auto part) { part.write(to + i, part.read(from + i)); });
}
// The sum of two rows; without b, a.
template <typename T>
PY4CAST_INLINE void write_sum(const Compute<T>* a, const T* b, int64_t size, T* to) {
  if (b)
    for_vectors<T>(size, [=](int64_t i, auto part) {
      part.write(to + i, part.read(a + i) + part.read(b + i));
    });
  else
    copy_row(a, size, to);
}
template <typename T>
PY4CAST_INLINE void add_row(const T* from, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] += from[i];
}
template <typename T>
PY4CAST_INLINE void multiply_row(T factor, int64_t size, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] *= factor;
}

// Rows become operands of products: in bf16, where the processor has products of pairs, hidden features
// and gradients are rounded to it, as between the elementary ops, and two numbers are one operand; else
// they stay what they are, where they are.
template <typename T>
constexpr int64_t per_operand = by_pairs<T> ? 2 : 1;
template <typename T, bool pairs>
struct OperandType {
  using type = Compute<T>;
};
template <>
struct OperandType<bfloat16, true> {
  using type = bfloat16;
};
template <typename T>
using Operand = typename OperandType<T, by_pairs<T>>::type;
template <typename T>
PY4CAST_INLINE Operand<T>* operands_in(Packed<T>* words) {
  return reinterpret_cast<Operand<T>*>(words);
}
template <typename T>
PY4CAST_INLINE Packed<T>* operands_of(Compute<T>* rows, Packed<T>* words) {
  if constexpr (by_pairs<T>)
    return words;
  else
    return rows;
}
// Zeros behind a row of operands of which whole vectors were written.
template <typename T>
PY4CAST_INLINE void pad_operands(Operand<T>* row, int64_t size, int64_t pitch) {
  for (int64_t i = (size + lanes<T> - 1) / lanes<T> * lanes<T>; i < pitch; i += lanes<T>)
    store(row + i, Vector<T>{});
}
template <typename Part, typename From, typename To>
PY4CAST_INLINE void copy_vector(Part part, const From* from, To* to) {
  store(to, part.read(from));
}
template <typename T>
PY4CAST_INLINE void copy_vector(Whole, const T* from, T* to) {
  using Raw = typename VectorOf<T>::unaligned;
  *reinterpret_cast<Raw*>(to) = *reinterpret_cast<const Raw*>(from);
}
template <typename T>
PY4CAST_INLINE void copy_operands(const T* from, int64_t size, int64_t pitch, Operand<T>* to) {
  for_vectors<T>(size, [=](int64_t i, auto part) { copy_vector(part, from + i, to + i); });
  pad_operands<T>(to, size, pitch);
}

// SiLU and its slope: x s and s + x s (1 - s), s the logistic function.
PY4CAST_INLINE Vector<double> logistic(Vector<double> x) {
  for (int i = 0; i < lanes<double>; ++i) x[i] = logistic(x[i]);
  return x;
}
template <typename T>
struct Silu {
  PY4CAST_INLINE static Vector<T> value(Vector<T> x) { return x * logistic(x); }
  PY4CAST_INLINE static Vector<T> value(Vector<T> x, Vector<T>& slope) {
    const Vector<T> gate = logistic(x), y = x * gate;
    slope = gate + y * (1 - gate);
    return y;
  }
};
#if defined(__AVX512F__)
// With instructions that round, scale by a power of 2 and estimate an inverse (14 bits).
PY4CAST_INLINE Vector<float> rounded_to_whole(Vector<float> x) {
  return reinterpret_cast<Vector<float>>(
      _mm512_maskz_roundscale_ps(0xffff, reinterpret_cast<__m512>(x), _MM_FROUND_TO_NEAREST_INT));
}
PY4CAST_INLINE Vector<float> scaled_by_power(Vector<float> x, Vector<float> power) {
  return reinterpret_cast<Vector<float>>(
      _mm512_maskz_scalef_ps(0xffff, reinterpret_cast<__m512>(x), reinterpret_cast<__m512>(power)));
}
PY4CAST_INLINE Vector<float> rough_inverse(Vector<float> x) {
  return reinterpret_cast<Vector<float>>(
      _mm512_maskz_rcp14_ps(0xffff, reinterpret_cast<__m512>(x)));
}
PY4CAST_INLINE Vector<float> inverse(Vector<float> x) {
  const Vector<float> rough = rough_inverse(x);
  return rough + rough * (1 - x * rough);
}
#elif defined(__AVX2__)
PY4CAST_INLINE Vector<float> rounded_to_whole(Vector<float> x) {
  return reinterpret_cast<Vector<float>>(
      _mm256_round_ps(reinterpret_cast<__m256>(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
// -126 <= power <= 127
PY4CAST_INLINE Vector<float> scaled_by_power(Vector<float> x, Vector<float> power) {
  return x * with_exponent<Vector<float>>(reinterpret_cast<Integers<Vector<float>>>(
                                              _mm256_cvtps_epi32(reinterpret_cast<__m256>(power))) +
                                          127);
}
PY4CAST_INLINE Vector<float> inverse(Vector<float> x) {
  return 1 / x;  // which costs little beside other work
}
#endif
#ifdef __AVX2__
template <>
struct Silu<float> {
  PY4CAST_INLINE static Vector<float> value(Vector<float> x) {
    Vector<float> slope;
    return value(x, slope);
  }
  PY4CAST_INLINE static Vector<float> value(Vector<float> x, Vector<float>& slope) {
    const Vector<float> least = Vector<float>{} - 87.0f, most = Vector<float>{} + 87.0f;
    x = x < least ? least : x;  // where x s is 0
    const Vector<float> b = x > most ? most : x, n = rounded_to_whole(b * -1.44269504f);
    const Vector<float> gate = inverse(1 + scaled_by_power(exponential_near_zero(split(-b, n)), n));
    const Vector<float> y = x * gate;
    slope = gate + y * (1 - gate);
    return y;
  }
};
#endif
#ifdef __AVX512BF16__
// What is rounded to bf16 needs no more than 13 bits, which take a third of the time.
template <>
struct Silu<bfloat16> {
  PY4CAST_INLINE static Vector<float> value(Vector<float> x) {
    return x * rough_inverse(1 + exponential_of_minus(x));
  }
  PY4CAST_INLINE static Vector<float> value(Vector<float> x, Vector<float>& slope) {
    const Vector<float> least = Vector<float>{} - 80.0f;  // exp(-x) stays finite, and x s is 0
    x = x < least ? least : x;
    const Vector<float> e = exponential_of_minus(x), gate = rough_inverse(1 + e), y = x * gate;
    slope = gate + y * (e * gate);
    return y;
  }

 private:
  // 2^n 2^r, |r| <= 1/2, the second by a polynomial fitted by exchange (7.5e-5).
  PY4CAST_INLINE static Vector<float> exponential_of_minus(Vector<float> x) {
    const Vector<float> power = x * -1.44269504f, n = rounded_to_whole(power), r = power - n;
    return scaled_by_power(
        ((5.517167e-02f * r + 2.4261112e-01f) * r + 6.9326099e-01f) * r + 9.9992807e-01f, n);
  }
};
#elif defined(__AVX2__)
template <>
struct Silu<bfloat16> : Silu<float> {};  // there is none that is faster
#endif

// h = SiLU(z(i, part)), as operands.
template <typename T, typename Z>
PY4CAST_INLINE void activate_row(int64_t size, int64_t pitch, Z&& z, Operand<T>* h) {
  for_vectors<T>(size, [&](int64_t i, auto part) { store(h + i, Silu<T>::value(z(i, part))); });
  pad_operands<T>(h, size, pitch);
}
// For the backward pass its slope, too: the logistic function is taken once.
template <typename T, typename Z>
PY4CAST_INLINE void activate_row_with_slope(int64_t size, int64_t pitch, Z&& z, Operand<T>* h,
                                            Compute<T>* slope) {
  for_vectors<T>(size, [&](int64_t i, auto part) {
    Vector<T> slopes;
    store(h + i, Silu<T>::value(z(i, part), slopes));
    part.write(slope + i, slopes);
  });
  pad_operands<T>(h, size, pitch);
}

// Rows without their means. A layer norm begins with that; its input has none if the weights that bring it
// forth, and their bias, have none.
template <typename T>
PY4CAST_INLINE void centre_rows(const T* from, int64_t rows, int64_t columns, T* to) {
  for (int64_t i = 0; i < rows * columns; i += columns) {
    T sum = 0;
    for (int64_t c = 0; c < columns; ++c) sum += from[i + c];
    for (int64_t c = 0; c < columns; ++c) to[i + c] = from[i + c] - sum / static_cast<T>(columns);
  }
}
template <typename T, int n>
PY4CAST_INLINE PerRow<T, n> inverse_deviations(const Vector<T> (&squares)[n], int64_t size,
                                               T epsilon) {
  const Vector<T> variance = sums_over_lanes<T>(squares).values / static_cast<T>(size);
  return {1 / square_roots<T>(variance + epsilon)};
}
// The layer norm of n rows z, which are centred.
template <int n, typename T, typename To>
PY4CAST_INLINE void normalise_rows(const T* z, int64_t row, const T* gamma, const T* beta,
                                   int64_t size, T epsilon, To* to, int64_t to_row) {
  Vector<T> squares[n] = {};
  for_vectors<T>(size, [&](int64_t i, auto part) {
#pragma GCC unroll 4
    for (int r = 0; r < n; ++r) {
      const Vector<T> centred = part.read(z + r * row + i);
      squares[r] += centred * centred;
    }
  });
  const PerRow<T, n> inverse = inverse_deviations<T>(squares, size, epsilon);
  for_vectors<T>(size, [&](int64_t i, auto part) {
    const Vector<T> scale = part.read(gamma + i), shift = part.read(beta + i);
#pragma GCC unroll 4
    for (int r = 0; r < n; ++r)
      part.write(to + r * to_row + i, part.read(z + r * row + i) * inverse.of(r) * scale + shift);
  });
}
// The gradients of n rows z, which are centred, as operands. dy(r, i, part): what comes to the r-th row from
// its i-th number on. What dgamma, dbeta and the sum over all rows get is added. With h = z / deviation
// and s = dy gamma:
//   dz = (s - mean(s) - h mean(s h)) / deviation
template <int n, typename G, typename T, typename Dy>
PY4CAST_INLINE void norm_gradient_rows(Dy&& dy, const T* gamma, int64_t size, T epsilon, const T* z,
                                       int64_t row, Operand<G>* to, int64_t to_row, T* dgamma,
                                       T* dbeta, T* total) {
  Vector<T> squares[n] = {}, slopes[n] = {}, products[n] = {};
  for_vectors<T>(size, [&](int64_t i, auto part) {
    const Vector<T> scale = part.read(gamma + i);
#pragma GCC unroll 4
    for (int r = 0; r < n; ++r) {
      const Vector<T> centred = part.read(z + r * row + i);
      const Vector<T> slope = dy(r, i, part) * scale;
      squares[r] += centred * centred;
      slopes[r] += slope;
      products[r] += slope * centred;
    }
  });
  const PerRow<T, n> inverse = inverse_deviations<T>(squares, size, epsilon);
  const Vector<T> each = inverse.values / static_cast<T>(size);
  const PerRow<T, n> shifts{sums_over_lanes<T>(slopes).values * each};
  const PerRow<T, n> slants{sums_over_lanes<T>(products).values * each * inverse.values *
                            inverse.values};
  for_vectors<T>(size, [&](int64_t i, auto part) {
    const Vector<T> scale = part.read(gamma + i);
    Vector<T> gamma_sum{}, beta_sum{}, sum{};
#pragma GCC unroll 4
    for (int r = 0; r < n; ++r) {
      const Vector<T> centred = part.read(z + r * row + i), g = dy(r, i, part);
      const Vector<T> dz =
          part.first(g * scale * inverse.of(r) - shifts.of(r)) - centred * slants.of(r);
      gamma_sum += g * (centred * inverse.of(r));
      beta_sum += g;
      sum += dz;
      store(to + r * to_row + i, dz);
    }
    part.write(dgamma + i, part.read(dgamma + i) + gamma_sum);
    part.write(dbeta + i, part.read(dbeta + i) + beta_sum);
    part.write(total + i, part.read(total + i) + sum);
  });
  for (int r = 0; r < n; ++r) pad_operands<G>(to + r * to_row, size, to_row);
}
// The same without a norm.
template <int n, typename G, typename T, typename Dy>
PY4CAST_INLINE void copy_gradient_rows(Dy&& dy, int64_t size, Operand<G>* to, int64_t to_row,
                                       T* total) {
  for_vectors<T>(size, [&](int64_t i, auto part) {
    Vector<T> sum{};
    for (int r = 0; r < n; ++r) {
      const Vector<T> dz = dy(r, i, part);
      sum += dz;
      store(to + r * to_row + i, dz);
    }
    part.write(total + i, part.read(total + i) + sum);
  });
  for (int r = 0; r < n; ++r) pad_operands<G>(to + r * to_row, size, to_row);
}
// n rows of slopes become gradients, and operands; what their sum gets is added.
template <int n, typename G, typename T>
PY4CAST_INLINE void multiply_rows(const T* gradient, int64_t size, int64_t row, T* slope,
                                  Operand<G>* to, int64_t to_row, T* total) {
  for_vectors<T>(size, [&](int64_t i, auto part) {
    Vector<T> sum{};
#pragma GCC unroll 4
    for (int r = 0; r < n; ++r) {
      const Vector<T> z = part.read(gradient + r * row + i) * part.read(slope + r * row + i);
      sum += z;
      part.write(slope + r * row + i, z);
      if (to && by_pairs<G>) store(to + r * to_row + i, z);
    }
    if (to) part.write(total + i, part.read(total + i) + sum);
  });
  if (to)
    for (int r = 0; r < n; ++r) pad_operands<G>(to + r * to_row, size, to_row);
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

// The same of all columns of two rows: `row` words.
PY4CAST_INLINE void interleave(const bfloat16* a, const bfloat16* b, int64_t row, uint32_t* to) {
  typedef uint16_t Numbers __attribute__((vector_size(vector_bytes), aligned(2), may_alias));
  constexpr int both = vector_bytes / 2;  // numbers
  int64_t i = 0;
  for (; i + both <= row; i += both) {
    const Numbers upper = *reinterpret_cast<const Numbers*>(a + i);
    const Numbers lower = *reinterpret_cast<const Numbers*>(b + i);
    const Numbers first = lanes_of<Numbers>([](int n) { return n / 2 + (n & 1) * both; });
    *reinterpret_cast<Numbers*>(to + i) = shuffled(upper, lower, first);
    *reinterpret_cast<Numbers*>(to + i + both / 2) =
        shuffled(upper, lower, first + static_cast<uint16_t>(both / 2));
  }
  for (; i < row; i += lanes<bfloat16>)
    store(to + i,
          reinterpret_cast<Words>(load(a + i)) >> 16 | reinterpret_cast<Words>(load(b + i)));
}

}  // namespace
}  // namespace py4cast
