#include "kernels/ops/random.h"

#include "engine/cuda.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/random_kernels.h"

namespace py4cast {

Tensor uniform(Context& context, const Shape& shape, DataType type, uint64_t stream, double low,
               double high) {
  const Tensor& counter = context.random_counter;
  if (!(low < high))
    throw Error(ErrorKind::internal, "uniform: low is ", low, " and high is ", high);
  if (counter.defined() && (counter.type() != DataType::i64 || counter.numel() != 1 ||
                            !(counter.device() == context.device)))
    throw Error(ErrorKind::internal, "uniform: the counter is ", name_of(counter.type()), " ",
                counter.shape(), " on ", counter.device(), " but must be i64 [1] on ",
                context.device);
  if (!counter.defined() && is_captured(context.stream))
    throw Error(ErrorKind::internal, "uniform: this step is being captured without a counter (",
                "Context::random_counter), so every replay would draw the same numbers");
  Tensor y = context.empty(shape, type);
  const RandomKey key = context.random.child(stream);
  run_kernel<Uniform>(context, "uniform", type, key.seed, key.stream, counter, low, high, y);
  const double flops = per_element(y, 2);
  return record(
      context,
      {"uniform", flops, {{"stream", static_cast<int64_t>(stream)}, {"low", low}, {"high", high}}},
      {}, std::move(y), {});
}

}  // namespace py4cast
