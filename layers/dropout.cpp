#include "layers/dropout.h"

#include <string>

#include "engine/files.h"
#include "kernels/ops/dropout.h"

namespace py4cast {

Dropout::Dropout(const Builder& builder, double probability, Dropped dropped)
    : probability_(probability),
      dropped_(dropped),
      stream_(std::stoull(fingerprint(builder.path()), nullptr, 16)) {}

Tensor Dropout::operator()(Context& context, const Tensor& x) const {
  Shape decisions = x.shape();
  for (int axis = 1; axis < x.rank(); ++axis)
    if (dropped_ == Dropped::samples || (dropped_ == Dropped::channels && axis + 1 < x.rank()))
      decisions[axis] = 1;
  return dropout(context, x, probability_, decisions, stream_);
}

}  // namespace py4cast
