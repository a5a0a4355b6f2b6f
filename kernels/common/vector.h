// Vectors of the instruction level for hot loops of *.simd.cpp files, by GCC's vector extensions.
#pragma once

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "kernels/common/simd.h"

namespace py4cast {
namespace {

constexpr CpuLevel this_level = CpuLevel::PY4CAST_LEVEL;
constexpr int vector_bytes = this_level >= CpuLevel::avx512 ? 64
                             : this_level == CpuLevel::avx2 ? 32
                                                            : 16;
// Vectors of one register tile: 6 rows x widest_tile vectors fill the register file.
constexpr int widest_tile = this_level >= CpuLevel::avx512 ? 4 : 2;

// Elements of T in registers: vectors of Compute<T>, so bf16 is widened by `load` and rounded by
// `store`.
template <typename T>
struct VectorOf {
  typedef T type __attribute__((vector_size(vector_bytes)));
  typedef T unaligned __attribute__((vector_size(vector_bytes), aligned(sizeof(T)), may_alias));
};
template <>
struct VectorOf<bfloat16> {
  typedef float type __attribute__((vector_size(vector_bytes)));
  typedef uint32_t words __attribute__((vector_size(vector_bytes)));
  typedef uint16_t halves __attribute__((vector_size(vector_bytes / 2)));
  typedef uint16_t unaligned __attribute__((vector_size(vector_bytes / 2), aligned(2), may_alias));
};
template <typename T>
using Vector = typename VectorOf<T>::type;

template <typename T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(Compute<T>));

using Halves = VectorOf<bfloat16>::halves;
using Words = VectorOf<bfloat16>::words;
PY4CAST_INLINE Vector<float> widened(Halves x) {
#ifdef __AVX512BW__  // one instruction instead of two: each number goes to the upper half of a lane
  const __m512i place = _mm512_set_epi16(15, 15, 14, 14, 13, 13, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8,
                                         7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
  return reinterpret_cast<Vector<float>>(_mm512_maskz_permutexvar_epi16(
      0xaaaaaaaau, place, _mm512_castsi256_si512(reinterpret_cast<__m256i>(x))));
#else
  return reinterpret_cast<Vector<float>>(__builtin_convertvector(x, Words) << 16);
#endif
}
// Where the processor rounds to bf16 itself, denormal numbers become 0.
PY4CAST_INLINE Halves rounded(Vector<float> x) {
#ifdef __AVX512BF16__
  return reinterpret_cast<Halves>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(x)));
#else
  const Words word = reinterpret_cast<Words>(x), upper = word >> 16;
  const Words number = (word + 0x7fffu + (upper & 1u)) >> 16;
  return __builtin_convertvector((word & 0x7fffffffu) > 0x7f800000u ? upper | 0x40u : number,
                                 Halves);
#endif
}

template <typename T>
PY4CAST_INLINE Vector<T> load(const T* from) {
  return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(from);
}
template <>
PY4CAST_INLINE Vector<float> load(const bfloat16* from) {
  return widened(*reinterpret_cast<const VectorOf<bfloat16>::unaligned*>(from));
}
template <typename T>
PY4CAST_INLINE void store(T* to, Vector<T> value) {
  *reinterpret_cast<typename VectorOf<T>::unaligned*>(to) = value;
}
template <>
PY4CAST_INLINE void store(bfloat16* to, Vector<float> value) {
  *reinterpret_cast<VectorOf<bfloat16>::unaligned*>(to) = rounded(value);
}
// The first `count` lanes; the others are 0 and their memory is not touched.
#if defined(__AVX512F__)
PY4CAST_INLINE Vector<float> load_first(const float* from, int64_t count) {
  return reinterpret_cast<Vector<float>>(
      _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from));
}
PY4CAST_INLINE Vector<double> load_first(const double* from, int64_t count) {
  return reinterpret_cast<Vector<double>>(
      _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from));
}
PY4CAST_INLINE void store_first(float* to, Vector<float> value, int64_t count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1),
                        reinterpret_cast<__m512>(value));
}
PY4CAST_INLINE void store_first(double* to, Vector<double> value, int64_t count) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1),
                        reinterpret_cast<__m512d>(value));
}
PY4CAST_INLINE Vector<float> load_first(const bfloat16* from, int64_t count) {
  return widened(reinterpret_cast<Halves>(
      _mm256_maskz_loadu_epi16(static_cast<__mmask16>((1u << count) - 1), from)));
}
PY4CAST_INLINE void store_first(bfloat16* to, Vector<float> value, int64_t count) {
  _mm256_mask_storeu_epi16(to, static_cast<__mmask16>((1u << count) - 1),
                           reinterpret_cast<__m256i>(rounded(value)));
}
#else
#ifdef __AVX2__
PY4CAST_INLINE Vector<float> load_first(const float* from, int64_t count) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return reinterpret_cast<Vector<float>>(_mm256_maskload_ps(
      from, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane)));
}
PY4CAST_INLINE Vector<double> load_first(const double* from, int64_t count) {
  const __m256i lane = _mm256_setr_epi64x(0, 1, 2, 3);
  return reinterpret_cast<Vector<double>>(
      _mm256_maskload_pd(from, _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), lane)));
}
#endif
template <typename T>
PY4CAST_INLINE Vector<T> load_first(const T* from, int64_t count) {
  Vector<T> value{};
  for (int64_t i = 0; i < count; ++i) value[i] = widen(from[i]);
  return value;
}
template <typename T>
PY4CAST_INLINE void store_first(T* to, Vector<T> value, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = narrow<T>(value[i]);
}
#endif

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

// sum + a b
template <typename A, typename V>
PY4CAST_INLINE V multiply_add(V sum, A a, V b) {
  return sum + a * b;
}
#ifdef __AVX512BF16__
// Of words that hold two bf16 numbers each: sum + a_0 b_0 + a_1 b_1. Denormal numbers count as 0.
PY4CAST_INLINE Vector<float> multiply_add(Vector<float> sum, uint32_t a, Words b) {
  return reinterpret_cast<Vector<float>>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum),
                                                          reinterpret_cast<__m512bh>(Words{} + a),
                                                          reinterpret_cast<__m512bh>(b)));
}
#endif

// Columns are cut into tiles of widest_tile, ..., 2, 1 vectors; calls f(Tile<V>{}, first column)
// for each.
template <int V>
struct Tile {
  static constexpr int vectors = V;
  static constexpr int rows = V == widest_tile ? 6 : 12;
};
template <typename T, typename F>
PY4CAST_INLINE void for_column_tiles(int64_t columns, F&& f) {
  int64_t column = 0;
  for (; columns - column > (widest_tile - 1) * lanes<T>; column += widest_tile * lanes<T>)
    f(Tile<widest_tile>{}, column);
  if constexpr (widest_tile > 2)
    for (; columns - column > lanes<T>; column += 2 * lanes<T>) f(Tile<2>{}, column);
  for (; columns > column; column += lanes<T>) f(Tile<1>{}, column);
}

// Some vectors of columns, of which `valid` exist.
template <int V, typename T>
struct Strip {
  int64_t valid;
  PY4CAST_INLINE void read(Vector<T> (&to)[V], const T* from) const {
    if (valid == V * lanes<T>) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) to[v] = load(from + v * lanes<T>);
    } else {
      for (int v = 0; v < V; ++v) to[v] = load_first(from + v * lanes<T>, count(v));
    }
  }
  PY4CAST_INLINE void write(T* to, const Vector<T> (&from)[V]) const {
    if (valid == V * lanes<T>) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) store(to + v * lanes<T>, from[v]);
    } else {
      for (int v = 0; v < V; ++v) store_first(to + v * lanes<T>, from[v], count(v));
    }
  }

 private:
  PY4CAST_INLINE int64_t count(int v) const {
    return larger<int64_t>(0, smaller<int64_t>(lanes<T>, valid - v * lanes<T>));
  }
};

// Operands of products. With instructions for dot products or matrix tiles those in bf16 are taken in
// pairs, two to a 32-bit word, and weights are packed as such words: [pair of channels, column], a last
// odd channel with a zero. Else they are packed as floats, already rounded.
template <typename T>
constexpr bool is_bf16 = false;
template <>
constexpr bool is_bf16<bfloat16> = true;
template <typename T>
constexpr bool by_pairs = is_bf16<T>&& this_level >= CpuLevel::avx512_bf16;

template <typename T, bool pairs>
struct PackedType {
  using type = Compute<T>;
};
template <>
struct PackedType<bfloat16, true> {
  using type = uint32_t;
};
template <typename T>
using Packed = typename PackedType<T, by_pairs<T>>::type;
template <typename T>
PY4CAST_INLINE int64_t packed_depth(int64_t depth) {
  return by_pairs<T> ? (depth + 1) / 2 : depth;
}

}  // namespace
}  // namespace py4cast
