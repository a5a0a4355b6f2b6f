#include "kernels/common/simd.h"
#include "kernels/ops/views_kernels.h"

namespace py4cast {
namespace {

template <typename Word>
PY4CAST_INLINE void copy_words(const std::byte* from, std::byte* to, int64_t bytes) {
  using Alias [[gnu::may_alias]] = Word;
  const auto* source = reinterpret_cast<const Alias*>(from);
  auto* target = reinterpret_cast<Alias*>(to);
  const int64_t count = bytes / static_cast<int64_t>(sizeof(Word));
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) target[i] = source[i];
}

// A call of memcpy costs more than a few words.
PY4CAST_INLINE void copy_bytes(const std::byte* from, std::byte* to, int64_t bytes) {
  if (bytes >= 1024)
    __builtin_memcpy(to, from, static_cast<size_t>(bytes));
  else if (bytes % 4 == 0)
    copy_words<uint32_t>(from, to, bytes);
  else
    copy_words<uint16_t>(from, to, bytes);
}

// y's last axis and the axis of y along which x is contiguous (if that is the last one, the one
// before it) are walked in blocks of 16 x 16: the lines of both sides stay in cache.
template <typename Word>
void permute_rows(const std::byte* x, const int64_t* sizes, const int64_t* strides, int rank,
                  std::byte* y) {
  using Alias [[gnu::may_alias]] = Word;
  const auto* from = reinterpret_cast<const Alias*>(x);
  auto* to = reinterpret_cast<Alias*>(y);
  int second = rank - 2;
  for (int axis = 0; axis + 1 < rank; ++axis)
    if (strides[axis] == 1 && sizes[axis] > 1) second = axis;
  int64_t outer = 1, pitch = 1;  // pitch: from one index of `second` to the next, in y
  for (int axis = 0; axis + 1 < rank; ++axis)
    if (axis != second) outer *= sizes[axis];
  for (int axis = second + 1; axis < rank; ++axis) pitch *= sizes[axis];
  const int64_t width = sizes[rank - 1], step = strides[rank - 1];
  const int64_t height = sizes[second], down = strides[second];
  constexpr int64_t block = 16;
  const int64_t bands = (height + block - 1) / block;
#pragma omp parallel for collapse(2) schedule(static) if (outer * width * height > 16384)
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t band = 0; band < bands; ++band) {
      int64_t rest = o, source = 0, target = 0, size = width;
      for (int axis = rank - 2; axis >= 0; --axis) {
        if (axis != second) {
          source += rest % sizes[axis] * strides[axis];
          target += rest % sizes[axis] * size;
          rest /= sizes[axis];
        }
        size *= sizes[axis];
      }
      const int64_t first = band * block, last = smaller(first + block, height);
      for (int64_t column = 0; column < width; column += block) {
        const int64_t end = smaller(column + block, width);
        for (int64_t row = first; row < last; ++row) {
          const Alias* in = from + source + row * down;
          Alias* out = to + target + row * pitch;
          for (int64_t i = column; i < end; ++i) out[i] = in[i * step];
        }
      }
    }
}

}  // namespace

void JoinRows::run(Level) const {
  const int64_t pitch = rows ? y.size / rows : 0;
#pragma omp parallel for schedule(static) if (y.size > 65536)
  for (int64_t r = 0; r < rows; ++r) {
    std::byte* to = y.data + r * pitch;
    for (int64_t p = 0; p < count; ++p) {
      if (parts[p].data)
        copy_bytes(parts[p].data + r * parts[p].pitch, to, parts[p].width);
      else
        __builtin_memset(to, 0, static_cast<size_t>(parts[p].width));
      to += parts[p].width;
    }
  }
}

void Permute::run(Level) const {
  if (element_bytes == 2)
    permute_rows<uint16_t>(x.data, sizes, strides, rank, y.data);
  else if (element_bytes == 4)
    permute_rows<uint32_t>(x.data, sizes, strides, rank, y.data);
  else
    permute_rows<uint64_t>(x.data, sizes, strides, rank, y.data);
}

template <typename From, typename To>
void CastMap<From, To>::run(Level) const {
  const From* from = x.data;
  To* to = y.data;
#pragma omp parallel for schedule(static) if (y.size > 16384)
  for (int64_t begin = 0; begin < y.size; begin += piece_size)
#pragma omp simd
    for (int64_t i = begin; i < smaller(begin + piece_size, y.size); ++i)
      to[i] = narrow<To>(static_cast<Compute<To>>(widen(from[i])));
}

template struct CastMap<float, double>;
template struct CastMap<float, bfloat16>;
template struct CastMap<double, float>;
template struct CastMap<double, bfloat16>;
template struct CastMap<bfloat16, float>;
template struct CastMap<bfloat16, double>;

}  // namespace py4cast
