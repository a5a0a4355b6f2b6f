// The tile registers of AMX, for *.amx.cpp files: eight tiles of 16 rows of 64 bytes, which are 16
// floats or 16 pairs of bf16. Compiled for real, and with plain loops in the place of the
// instructions (instruction level amx_emulated), which shows all but speed, the order of sums and
// denormal numbers.
#pragma once

#include "kernels/common/vector.h"

namespace py4cast {
namespace {

constexpr bool real_tiles = this_level == CpuLevel::amx;
constexpr int tile_rows = 16, tile_columns = 16, tile_depth = 32;

// While an object lives, its thread may use the tiles.
class Tiles {
 public:
  PY4CAST_INLINE Tiles() {
    if constexpr (!real_tiles) return;
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } configuration;
    asm volatile("ldtilecfg %0" ::"m"(configuration));
  }
  PY4CAST_INLINE ~Tiles() {
    if constexpr (real_tiles) asm volatile("tilerelease");
  }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  template <int t>
  PY4CAST_INLINE void zero() {
    if constexpr (real_tiles)
      asm volatile("tilezero %%tmm%c0" ::"i"(t));
    else
      __builtin_memset(words_[t], 0, sizeof words_[t]);
  }

  // Rows of 64 bytes, `stride` bytes apart.
  template <int t>
  PY4CAST_INLINE void load(const void* from, int64_t stride) {
    if constexpr (real_tiles)
      asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(t) : "memory");
    else
      for (int row = 0; row < tile_rows; ++row)
        __builtin_memcpy(words_[t][row], static_cast<const char*>(from) + row * stride, 64);
  }
  template <int t>
  PY4CAST_INLINE void store(void* to, int64_t stride) const {
    if constexpr (real_tiles)
      asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(t) : "memory");
    else
      for (int row = 0; row < tile_rows; ++row)
        __builtin_memcpy(static_cast<char*>(to) + row * stride, words_[t][row], 64);
  }

  // c[m, n] += sum_k a[m, 2 k] b[k, 2 n] + a[m, 2 k + 1] b[k, 2 n + 1]: c floats, a and b bf16.
  template <int c, int a, int b>
  PY4CAST_INLINE void multiply() {
    if constexpr (real_tiles)
      asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
    else
      multiply_plainly(words_[c], words_[a], words_[b]);
  }

 private:
  using Words16 = uint32_t[tile_rows][16];
  [[gnu::noinline]] static void multiply_plainly(Words16& c, const Words16& a, const Words16& b) {
    for (int m = 0; m < tile_rows; ++m) {
      Vector<float> sum = reinterpret_cast<Vector<float>>(load_words(c[m]));
      for (int k = 0; k < 16; ++k) {
        const Words left = Words{} + a[m][k], right = load_words(b[k]);
        sum += as_floats(left << 16) * as_floats(right << 16);
        sum += as_floats(left & 0xffff0000u) * as_floats(right & 0xffff0000u);
      }
      __builtin_memcpy(c[m], &sum, sizeof sum);
    }
  }
  PY4CAST_INLINE static Words load_words(const uint32_t* from) {
    Words words;
    __builtin_memcpy(&words, from, sizeof words);
    return words;
  }
  PY4CAST_INLINE static Vector<float> as_floats(Words x) {
    return reinterpret_cast<Vector<float>>(x);
  }

  alignas(64) uint32_t words_[real_tiles ? 1 : 8][tile_rows][16];
};

}  // namespace
}  // namespace py4cast
