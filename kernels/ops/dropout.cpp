#include "kernels/ops/dropout.h"

#include "kernels/ops/arithmetic.h"
#include "kernels/ops/random.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"

namespace py4cast {

Tensor dropout(Context& context, const Tensor& x, double probability, const Shape& decisions,
               uint64_t stream) {
  if (!(probability >= 0 && probability < 1))
    throw Error(ErrorKind::internal, "dropout: the probability is ", probability,
                " but must be in [0, 1)");
  if (context.phase == Phase::evaluate || probability == 0) return x;
  const Tensor number = uniform(context, decisions, DataType::f32, stream);
  const Tensor kept = cast(context, greater(context, number, probability), x.type());
  const Tensor rest = multiply(context, x, broadcast(context, kept, x.shape()));
  return scale(context, rest, 1 / (1 - probability));
}

}  // namespace py4cast
