#include "kernels/arithmetic_kernels.h"
#include "kernels/simd.h"
#include "kernels/vector_math.h"

namespace py4cast {
namespace {

template <typename T, typename F>
void for_each(int64_t size, F f) {
#pragma omp parallel for simd schedule(static) firstprivate(f) if (size > 16384)
  for (int64_t i = 0; i < size; ++i) f(i);
}

PY4CAST_INLINE float raised(float x, float p) {
  return __builtin_powf(x, p);
}
PY4CAST_INLINE double raised(double x, double p) {
  return __builtin_pow(x, p);
}
PY4CAST_INLINE float logarithm(float x) {
  return __builtin_logf(x);
}
PY4CAST_INLINE double logarithm(double x) {
  return __builtin_log(x);
}

}  // namespace

template <CpuLevel level, typename T>
void binary_kernel(Cpu<level>, Binary op, View<const T> a, View<const T> b, View<T> y) {
  const T *pa = a.data, *pb = b.data;
  T* py = y.data;
  switch (op) {
    case Binary::add:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = pa[i] + pb[i]; });
    case Binary::subtract:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = pa[i] - pb[i]; });
    case Binary::multiply:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = pa[i] * pb[i]; });
    case Binary::divide:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = pa[i] / pb[i]; });
  }
}

template <CpuLevel level, typename T>
void unary_kernel(Cpu<level>, Unary op, View<const T> x, double p_, double q_, View<T> y) {
  const T* px = x.data;
  T* py = y.data;
  const T p = static_cast<T>(p_), q = static_cast<T>(q_);
  switch (op) {
    case Unary::affine:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = p * px[i] + q; });
    case Unary::power:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = raised(px[i], p); });
    case Unary::exponential:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = exponential(px[i]); });
    case Unary::logarithm:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = logarithm(px[i]); });
    case Unary::absolute:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = px[i] < 0 ? -px[i] : px[i]; });
    case Unary::sign:
      return for_each<T>(y.size,
                         [=](int64_t i) { py[i] = static_cast<T>((px[i] > 0) - (px[i] < 0)); });
    case Unary::tanh:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = hyperbolic_tangent(px[i]); });
    case Unary::erf:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = error_function(px[i]); });
    case Unary::greater:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = px[i] > p ? T(1) : T(0); });
    case Unary::is_number:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = px[i] == px[i] ? T(1) : T(0); });
    case Unary::without_nan:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = px[i] == px[i] ? px[i] : T(0); });
    case Unary::fill:
      return for_each<T>(y.size, [=](int64_t i) { py[i] = p; });
  }
}

template void binary_kernel(Level, Binary, View<const float>, View<const float>, View<float>);
template void binary_kernel(Level, Binary, View<const double>, View<const double>, View<double>);
template void unary_kernel(Level, Unary, View<const float>, double, double, View<float>);
template void unary_kernel(Level, Unary, View<const double>, double, double, View<double>);

}  // namespace py4cast
