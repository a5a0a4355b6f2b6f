#include "kernels/common/simd.h"
#include "kernels/ops/random_kernels.h"
#include "kernels/ops/random_math.h"

namespace py4cast {

template <typename T>
void Uniform<T>::run(Level) const {
  const uint64_t key = seed;
  const uint64_t own =
      child_stream(seed, stream, counter.size ? static_cast<uint64_t>(counter[0]) : 0);
  const double from = low, width = high - low;
  T* const to = y.data;
#pragma omp parallel for schedule(static) if (y.size > 4096)
  for (int64_t begin = 0; begin < y.size; begin += piece_size)
#pragma omp simd
    for (int64_t i = begin; i < smaller(begin + piece_size, y.size); ++i)
      to[i] = uniform_number<T>(random_bits(key, own, static_cast<uint64_t>(i)), from, width);
}

PY4CAST_KERNEL(Uniform)

}  // namespace py4cast
