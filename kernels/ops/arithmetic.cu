#include "kernels/common/elementwise.h"
#include "kernels/ops/arithmetic_kernels.h"
#include "kernels/ops/arithmetic_math.h"

namespace py4cast {
namespace {

template <Binary op>
struct Combined {
  template <typename C>
  __device__ C operator()(C a, C b) const {
    return combined<op>(a, b);
  }
};

template <Unary op, typename C>
struct Mapped {
  C p, q;
  __device__ C operator()(C x) const { return mapped<op>(x, p, q); }
};

}  // namespace

template <typename T>
void binary_kernel(Cuda device, Binary op, View<const T> a, View<const T> b, View<T> y) {
  with_binary(op, [=]<Binary f>() { map(device, Combined<f>{}, y, a, b); });
}

template <typename T>
void unary_kernel(Cuda device, Unary op, View<const T> x, double p, double q, View<T> y) {
  using C = Compute<T>;
  with_unary(op, [=]<Unary f>() {
    map(device, Mapped<f, C>{static_cast<C>(p), static_cast<C>(q)}, y, x);
  });
}

#define PY4CAST_INSTANTIATE(T)                                                      \
  template void binary_kernel(Cuda, Binary, View<const T>, View<const T>, View<T>); \
  template void unary_kernel(Cuda, Unary, View<const T>, double, double, View<T>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)
PY4CAST_INSTANTIATE(bfloat16)

}  // namespace py4cast
