#include "kernels/common/elementwise.h"
#include "kernels/ops/activation_kernels.h"
#include "kernels/ops/activation_math.h"

namespace py4cast {
namespace {

template <Activation kind>
struct Forward {
  template <typename C>
  __device__ C operator()(C x) const {
    return activated<kind>(x);
  }
};

template <Activation kind>
struct Backward {
  template <typename C>
  __device__ C operator()(C saved, C dy) const {
    return dy * slope<kind>(saved);
  }
};

}  // namespace

template <typename T>
void activation_kernel(Cuda device, Activation kind, View<const T> x, View<T> y) {
  with_activation(kind, [=]<Activation f>() { map(device, Forward<f>{}, y, x); });
}

template <typename T>
void activation_backward_kernel(Cuda device, Activation kind, View<const T> saved, View<const T> dy,
                                View<T> dx) {
  with_activation(kind, [=]<Activation f>() { map(device, Backward<f>{}, dx, saved, dy); });
}

#define PY4CAST_INSTANTIATE(T)                                               \
  template void activation_kernel(Cuda, Activation, View<const T>, View<T>); \
  template void activation_backward_kernel(Cuda, Activation, View<const T>, View<const T>, View<T>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)
PY4CAST_INSTANTIATE(bfloat16)

}  // namespace py4cast
