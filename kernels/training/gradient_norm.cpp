#include "kernels/training/gradient_norm.h"

#include "engine/op_note.h"
#include "engine/parameters.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/training/gradient_norm_kernels.h"

namespace py4cast {

void clear_gradient_norm(const Context& context, const Tensor& result) {
  Context plain = context.without_tape();
  plain.arena = nullptr;
  copy(context, full(plain, result.shape(), DataType::f64, 1), result);
}

void gradient_norm(Context& context, const Tensor& gradients, const Tensor& losses, double max_norm,
                   const Tensor& result) {
  if (losses.defined() && losses.type() != gradients.type())
    throw shape_error(context, "gradient_norm: losses are ", name_of(losses.type()),
                      " but gradients are ", name_of(gradients.type()));
  if (result.numel() != gradient_norm_count)
    throw Error(ErrorKind::internal, "gradient_norm: the result has ", gradient_norm_count,
                " elements, not ", result.numel());
  const Tensor partial =
      context.empty({chunk_count(context.device, gradients.numel())}, DataType::f64);
  run_kernel<MeasureGradients, float, double>(context, "gradient_norm", gradients.type(), gradients,
                                              losses, max_norm, partial, result);
  announce(context,
           {"gradient_norm", 2 * static_cast<double>(gradients.numel()), {{"max_norm", max_norm}}},
           {gradients, losses}, {result});
}

GradientNorm read_gradient_norm(const Tensor& result) {
  const Tensor host = host_tensor(result.shape(), DataType::f64);
  copy(result, host);
  const double* const numbers = host.data<double>();
  return {numbers[0], numbers[1], numbers[2]};
}

}  // namespace py4cast
