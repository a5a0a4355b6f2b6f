#include "kernels/training/adamw.h"

#include <algorithm>
#include <cmath>

#include "engine/op_note.h"
#include "engine/parameters.h"
#include "kernels/common/dispatch.h"
#include "kernels/training/adamw_kernels.h"
#include "kernels/training/gradient_norm.h"

namespace py4cast {

void write_adamw_factors(const AdamWSettings& s, const Tensor& factors) {
  if (s.step < 1) throw Error(ErrorKind::internal, "adamw: step ", s.step, " is not positive");
  const auto step = static_cast<double>(s.step);
  const bool decoupled = s.decay == WeightDecay::decoupled;
  const double inverse_root = 1 / std::sqrt(1 - std::pow(s.beta2, step));
  const double values[adamw_factor_count] = {
      decoupled ? 1 - s.lr * s.weight_decay : 1,
      s.beta1,
      1 - s.beta1,
      s.beta2,
      1 - s.beta2,
      s.lr / (1 - std::pow(s.beta1, step)),
      inverse_root,
      s.form == EpsilonForm::pytorch ? s.epsilon : s.epsilon * inverse_root,
      decoupled ? 0 : s.weight_decay};
  std::copy_n(values, adamw_factor_count, factors.span<double>().data());
}

void adamw(Context& context, const Tensor& values, const Tensor& gradients, const Tensor& first,
           const Tensor& second, const Tensor& factors, const Tensor& norm) {
  check_same_shape(context, "adamw", "values", values, "gradients", gradients);
  check_same_shape(context, "adamw", "values", values, "first", first);
  check_same_shape(context, "adamw", "values", values, "second", second);
  if (factors.numel() != adamw_factor_count ||
      (norm.defined() && norm.numel() != gradient_norm_count))
    throw Error(ErrorKind::internal, "adamw: factors are ", factors.shape(), " and norm is ",
                norm.defined() ? norm.shape() : Shape(), "; they have ", adamw_factor_count,
                " and ", gradient_norm_count, " elements");
  run_kernel<AdamWStep, float, double>(context, "adamw", values.type(), factors, norm, gradients,
                                       values, first, second);
  announce(context, {"adamw", 17 * static_cast<double>(values.numel())},
           {values, gradients, first, second, factors, norm}, {values, first, second});
}

void adamw(Context& context, const Tensor& values, const Tensor& gradients, const Tensor& first,
           const Tensor& second, const AdamWSettings& settings, const Tensor& norm) {
  Tensor factors = host_tensor({adamw_factor_count}, DataType::f64);
  write_adamw_factors(settings, factors);
  if (context.device.kind != DeviceKind::cpu) {
    const Tensor from = factors;
    factors = context.empty(from.shape(), DataType::f64);
    if (!context.dry()) copy(from, factors);
  }
  adamw(context, values, gradients, first, second, factors, norm);
}

}  // namespace py4cast
