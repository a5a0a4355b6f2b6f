#include "kernels/products/convolution_tiles.h"

namespace py4cast {

PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)

}  // namespace py4cast
