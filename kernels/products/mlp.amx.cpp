#include "kernels/products/mlp_matrix_products.h"
#include "kernels/products/mlp_tiles.h"

namespace py4cast {

template <>
void MlpForward<bfloat16>::run(Level) const {
  forward<MatrixProducts>(*this);
}
template <>
void MlpBackward<bfloat16>::run(Level) const {
  backward<MatrixProducts>(*this);
}
template <>
void ProductInPlace<bfloat16>::run(Level) const {
  multiply_in_place<MatrixProducts>(*this);
}

}  // namespace py4cast
