#include "kernels/gradient_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/gradient_norm_kernels.h"

namespace py4cast {

double gradient_norm(Context& context, const Tensor& x) {
  Tensor partial = context.empty({chunk_count(x.numel())}, DataType::f64);
  double sum = 0;
  on_device<float, double>(context, "gradient_norm", x.type(), [&](auto device, auto type) {
    using T = typename decltype(type)::type;
    sum_of_squares_kernel(device, view<const T>(x), view<double>(partial), sum);
  });
  return std::sqrt(sum);
}

double clip_factor(double norm, double max_norm) {
  return std::min(1.0, max_norm / (norm + 1e-6));
}

}  // namespace py4cast
