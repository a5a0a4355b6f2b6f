#include "kernels/fields/error_sums.h"

#include "engine/op_note.h"
#include "kernels/common/dispatch.h"
#include "kernels/fields/error_sums_kernels.h"

namespace py4cast {

Tensor error_sums(Context& context, const Tensor& prediction, const Tensor& target,
                  const Tensor& mask) {
  check_same_shape(context, "error_sums", "prediction", prediction, "target", target);
  const int64_t batch = prediction.size(0), features = prediction.shape().back();
  if (mask.numel() * batch * features != prediction.numel() || mask.type() != prediction.type())
    throw shape_error(context, "error_sums: mask is ", name_of(mask.type()), " ", mask.shape(),
                      " but prediction is ", name_of(prediction.type()), " ", prediction.shape());
  Tensor result = context.empty({batch, features, 4}, DataType::f64);
  Tensor partial =
      context.empty({batch, chunk_count(context.device, mask.numel()), features, 4}, DataType::f64);
  run_kernel<ErrorSums, float, double>(context, "error_sums", prediction.type(), prediction, target,
                                       mask, batch, features, partial, result);
  announce(context, {"error_sums", 7 * static_cast<double>(prediction.numel())},
           {prediction, target, mask}, {result});
  return result;
}

}  // namespace py4cast
