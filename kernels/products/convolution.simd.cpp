#include "kernels/products/convolution_tiles.h"

namespace py4cast {

template struct PackWeights<float>;
template struct PackWeights<double>;
template struct Correlate<float>;
template struct Correlate<double>;

}  // namespace py4cast
