#include "kernels/common/simd.h"
#include "kernels/ops/arithmetic_kernels.h"
#include "kernels/ops/arithmetic_math.h"

namespace py4cast {
namespace {

// Plain pointers: the compiler does not vectorise through the members of a closure.
template <Binary op, typename T>
void combine(const T* a, const T* b, T* y, int64_t size) {
#pragma omp parallel for schedule(static) if (size > 16384)
  for (int64_t begin = 0; begin < size; begin += piece_size)
#pragma omp simd
    for (int64_t i = begin; i < smaller(begin + piece_size, size); ++i)
      y[i] = narrow<T>(combined<op>(widen(a[i]), widen(b[i])));
}

template <Unary op, typename T>
void apply(const T* x, Compute<T> p, Compute<T> q, T* y, int64_t size) {
#pragma omp parallel for schedule(static) if (size > 16384)
  for (int64_t begin = 0; begin < size; begin += piece_size)
#pragma omp simd
    for (int64_t i = begin; i < smaller(begin + piece_size, size); ++i)
      y[i] = narrow<T>(mapped<op>(widen(x[i]), p, q));
}

}  // namespace

template <typename T>
void BinaryMap<T>::run(Level) const {
  with_binary(op, [&]<Binary f>() { combine<f>(a.data, b.data, y.data, y.size); });
}

template <typename T>
void UnaryMap<T>::run(Level) const {
  using C = Compute<T>;
  with_unary(op, [&]<Unary f>() {
    apply<f>(x.data, static_cast<C>(p), static_cast<C>(q), y.data, y.size);
  });
}

PY4CAST_KERNEL(BinaryMap)
PY4CAST_KERNEL(UnaryMap)

}  // namespace py4cast
