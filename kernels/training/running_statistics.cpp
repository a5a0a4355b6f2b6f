#include "kernels/training/running_statistics.h"

#include "engine/op_note.h"
#include "kernels/common/dispatch.h"
#include "kernels/training/running_statistics_kernels.h"

namespace py4cast {

void update_running_statistics(Context& context, const Tensor& mean, const Tensor& variance,
                               const Tensor& count, const Tensor& batch_mean,
                               const Tensor& batch_variance, double momentum, const Tensor& norm) {
  constexpr const char* op = "update_running_statistics";
  check_same_shape(context, op, "mean", mean, "batch_mean", batch_mean);
  check_same_shape(context, op, "mean", mean, "variance", variance);
  check_same_shape(context, op, "mean", mean, "batch_variance", batch_variance);
  if (count.numel() != 1)
    throw shape_error(context, op, ": count has ", count.numel(), " elements, not one");
  run_kernel<UpdateStatistics, float, double>(context, op, mean.type(), batch_mean, batch_variance,
                                              momentum, norm, mean, variance, count);
  announce(context, {op, 6 * static_cast<double>(mean.numel()), {{"momentum", momentum}}},
           {mean, variance, count, batch_mean, batch_variance, norm}, {mean, variance, count});
}

}  // namespace py4cast
