#include "kernels/products/mlp_tiles.h"
#include "kernels/products/mlp_vector_products.h"

namespace py4cast {

template <>
void MlpForward<bfloat16>::run(Level) const {
  forward<VectorProducts<bfloat16>>(*this);
}
template <>
void MlpBackward<bfloat16>::run(Level) const {
  backward<VectorProducts<bfloat16>>(*this);
}
template <>
void ProductInPlace<bfloat16>::run(Level) const {
  multiply_in_place<VectorProducts<bfloat16>>(*this);
}

}  // namespace py4cast
