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
void BinaryMap<T>::run(Cuda device) const {
  with_binary(op, [&]<Binary f>() { map(device, Combined<f>{}, y, a, b); });
}

template <typename T>
void UnaryMap<T>::run(Cuda device) const {
  using C = Compute<T>;
  with_unary(op, [&]<Unary f>() {
    map(device, Mapped<f, C>{static_cast<C>(p), static_cast<C>(q)}, y, x);
  });
}

PY4CAST_KERNEL(BinaryMap)
PY4CAST_KERNEL(UnaryMap)

}  // namespace py4cast
