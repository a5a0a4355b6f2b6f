// For *.simd.cpp and .cu files: the numbers of engine/random.h.
#pragma once

#include "kernels/common/both_devices.h"

namespace py4cast {
namespace {

// RandomKey{seed, stream}.bits(index): Philox4x32-10.
PY4CAST_INLINE uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t index) {
  const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  uint32_t a = low(index), b = high(index), c = low(stream), d = high(stream);
  uint32_t key_a = low(seed), key_b = high(seed);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const uint64_t p = uint64_t{0xD2511F53} * a, q = uint64_t{0xCD9E8D57} * c;
    a = high(q) ^ b ^ key_a;
    b = low(q);
    c = high(p) ^ d ^ key_b;
    d = low(p);
    key_a += 0x9E3779B9u;
    key_b += 0xBB67AE85u;
  }
  return (uint64_t{b} << 32) | a;
}

// The stream of RandomKey{seed, stream}.child(index).
PY4CAST_INLINE uint64_t child_stream(uint64_t seed, uint64_t stream, uint64_t index) {
  return random_bits(seed ^ 0x9e3779b97f4a7c15ull, stream, index);
}

template <typename T>
inline constexpr int digits = 53;
template <>
inline constexpr int digits<float> = 24;
template <>
inline constexpr int digits<bfloat16> = 8;

// low + width times a number in [0, 1) of the first binary digits of `bits`.
template <typename T>
PY4CAST_INLINE T uniform_number(uint64_t bits, double low, double width) {
  constexpr double unit = 1.0 / static_cast<double>(uint64_t{1} << digits<T>);
  const double share = static_cast<double>(static_cast<int64_t>(bits >> (64 - digits<T>))) * unit;
  return narrow<T>(static_cast<Compute<T>>(rounded_product(width, share) + low));
}

}  // namespace
}  // namespace py4cast
