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
void Activate<T>::run(Cuda device) const {
  with_activation(kind, [&]<Activation f>() { map(device, Forward<f>{}, y, x); });
}

template <typename T>
void ActivateBackward<T>::run(Cuda device) const {
  with_activation(kind, [&]<Activation f>() { map(device, Backward<f>{}, dx, saved, dy); });
}

PY4CAST_KERNEL(Activate)
PY4CAST_KERNEL(ActivateBackward)

}  // namespace py4cast
