#include "kernels/common/simd.h"
#include "kernels/ops/arithmetic_kernels.h"
#include "kernels/ops/arithmetic_math.h"

namespace py4cast {
namespace {

// Plain pointers: the compiler does not vectorise through the members of a closure.
template <Binary op, typename T>
void combine(const T* a, const T* b, T* y, int64_t size) {
#pragma omp parallel for simd schedule(static) if (size > 16384)
  for (int64_t i = 0; i < size; ++i) y[i] = narrow<T>(combined<op>(widen(a[i]), widen(b[i])));
}

template <Unary op, typename T>
void apply(const T* x, Compute<T> p, Compute<T> q, T* y, int64_t size) {
#pragma omp parallel for simd schedule(static) if (size > 16384)
  for (int64_t i = 0; i < size; ++i) y[i] = narrow<T>(mapped<op>(widen(x[i]), p, q));
}

}  // namespace

template <CpuLevel level, typename T>
void binary_kernel(Cpu<level>, Binary op, View<const T> a, View<const T> b, View<T> y) {
  with_binary(op, [=]<Binary f>() { combine<f>(a.data, b.data, y.data, y.size); });
}

template <CpuLevel level, typename T>
void unary_kernel(Cpu<level>, Unary op, View<const T> x, double p, double q, View<T> y) {
  using C = Compute<T>;
  with_unary(op, [=]<Unary f>() {
    apply<f>(x.data, static_cast<C>(p), static_cast<C>(q), y.data, y.size);
  });
}

#define PY4CAST_INSTANTIATE(T)                                                       \
  template void binary_kernel(Level, Binary, View<const T>, View<const T>, View<T>); \
  template void unary_kernel(Level, Unary, View<const T>, double, double, View<T>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)
PY4CAST_INSTANTIATE(bfloat16)

}  // namespace py4cast
