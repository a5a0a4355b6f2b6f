#include "kernels/products/mlp_tiles.h"

namespace py4cast {

template struct MlpForward<bfloat16>;
template struct MlpBackward<bfloat16>;

}  // namespace py4cast
