#include "kernels/products/mlp_tiles.h"
#include "kernels/products/mlp_vector_products.h"

namespace py4cast {

template <typename T>
void MlpForward<T>::run(Level) const {
  forward<VectorProducts<T>>(*this);
}
template <typename T>
void MlpBackward<T>::run(Level) const {
  backward<VectorProducts<T>>(*this);
}
template <typename T>
void ProductInPlace<T>::run(Level) const {
  multiply_in_place<VectorProducts<T>>(*this);
}

template struct MlpForward<float>;
template struct MlpForward<double>;
template struct MlpBackward<float>;
template struct MlpBackward<double>;
template struct ProductInPlace<float>;
template struct ProductInPlace<double>;

}  // namespace py4cast
