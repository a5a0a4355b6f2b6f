#include "kernels/adamw.h"

#include <cmath>

#include "kernels/adamw_kernels.h"
#include "kernels/dispatch.h"

namespace py4cast {

void adamw(Context& context, const Tensor& values, const Tensor& gradients, const Tensor& first,
           const Tensor& second, const AdamWSettings& s) {
  check_same_shape(context, "adamw", "values", values, "gradients", gradients);
  check_same_shape(context, "adamw", "values", values, "first", first);
  check_same_shape(context, "adamw", "values", values, "second", second);
  if (s.step < 1) throw Error(ErrorKind::internal, "adamw: step ", s.step, " is not positive");
  const auto step = static_cast<double>(s.step);
  on_device<float, double>(context, "adamw", values.type(), [&](auto device, auto type) {
    using T = typename decltype(type)::type;
    const auto as = [](double x) { return static_cast<T>(x); };
    const AdamWFactors<T> factors{.gradient_scale = as(s.gradient_scale),
                                  .decay = as(1 - s.lr * s.weight_decay),
                                  .keep_first = as(s.beta1),
                                  .add_first = as(1 - s.beta1),
                                  .keep_second = as(s.beta2),
                                  .add_second = as(1 - s.beta2),
                                  .rate = as(s.lr / (1 - std::pow(s.beta1, step))),
                                  .inverse_root = as(1 / std::sqrt(1 - std::pow(s.beta2, step))),
                                  .epsilon = as(s.epsilon)};
    adamw_kernel(device, factors, view<const T>(gradients), view<T>(values), view<T>(first),
                 view<T>(second));
  });
}

}  // namespace py4cast
