#include "kernels/training/sgd.h"

#include <algorithm>

#include "engine/op_note.h"
#include "kernels/common/dispatch.h"
#include "kernels/training/gradient_norm.h"
#include "kernels/training/sgd_kernels.h"

namespace py4cast {

void write_sgd_factors(const SgdSettings& s, const Tensor& factors) {
  const double values[sgd_factor_count] = {s.lr, s.momentum, s.weight_decay,
                                           s.nesterov ? 1.0 : 0.0};
  std::copy_n(values, sgd_factor_count, factors.span<double>().data());
}

void sgd(Context& context, const Tensor& values, const Tensor& gradients, const Tensor& velocity,
         const Tensor& factors, const Tensor& norm) {
  check_same_shape(context, "sgd", "values", values, "gradients", gradients);
  check_same_shape(context, "sgd", "values", values, "velocity", velocity);
  if (factors.numel() != sgd_factor_count ||
      (norm.defined() && norm.numel() != gradient_norm_count))
    throw Error(ErrorKind::internal, "sgd: factors are ", factors.shape(), " and norm is ",
                norm.defined() ? norm.shape() : Shape(), "; they have ", sgd_factor_count, " and ",
                gradient_norm_count, " elements");
  run_kernel<SgdStep, float, double>(context, "sgd", values.type(), factors, norm, gradients,
                                     values, velocity);
  announce(context, {"sgd", 7 * static_cast<double>(values.numel())},
           {values, gradients, velocity, factors, norm}, {values, velocity});
}

}  // namespace py4cast
