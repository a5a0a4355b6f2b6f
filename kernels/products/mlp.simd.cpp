#include "kernels/products/mlp_tiles.h"

namespace py4cast {

template struct MlpForward<float>;
template struct MlpForward<double>;
template struct MlpBackward<float>;
template struct MlpBackward<double>;

}  // namespace py4cast
