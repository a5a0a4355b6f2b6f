#include "kernels/products/weight_gradients.h"

#include <algorithm>

#include "kernels/common/dispatch.h"
#include "kernels/products/weight_gradients_cuda.h"

namespace py4cast {
namespace {

// More rows fill a GPU by themselves, and are not to be kept alive.
constexpr int64_t most_rows = 8192;
constexpr size_t most_waiting = size_t{16} << 20;

int64_t parts_of(const Tensor& x) {
  const int64_t rows = x.numel() / std::max<int64_t>(x.shape().back(), 1);
  return (rows + weight_gradient_rows - 1) / weight_gradient_rows;
}

}  // namespace

bool WeightGradients::take(const Tensor& weight, const Tensor& x, const Tensor& dy) {
  const Tensor to = of(weight);
  const int64_t in = x.shape().back(), out = dy.shape().back();
  if (!to.defined() || to.type() != DataType::f32 || dy.type() != x.type() ||
      in > weight_gradient_width || out > weight_gradient_width || x.numel() == 0 ||
      x.numel() / in > most_rows)
    return false;
  const auto same = [&](const Job& job) { return job.to.offset_bytes() == to.offset_bytes(); };
  if (std::any_of(jobs_.begin(), jobs_.end(), same)) finish();
  jobs_.push_back({x, dy, to});
  bytes_ += x.bytes() + dy.bytes();
  if (jobs_.size() == most_weight_gradients || bytes_ > most_waiting) finish();
  return true;
}

void WeightGradients::finish() {
  if (jobs_.empty()) return;
  int64_t parts = 0;
  for (const Job& job : jobs_) parts += parts_of(job.x);
  on_cuda(context_, [&](auto device) {
    const Tensor partial =
        context_.empty({parts, weight_gradient_width * weight_gradient_width}, DataType::f32);
    if (context_.dry()) return;
    with_type<float, bfloat16>(
        context_, "linear", jobs_[0].x.type(), device, [&]<typename T>(auto cuda, Type<T>) {
          std::vector<SmallProduct<T>> products;
          for (const auto& [x, dy, to] : jobs_)
            products.push_back({x.numel() / x.shape().back(), to.size(0), to.size(1),
                                view<const T>(x), view<const T>(dy), view<float>(to)});
          SmallProducts<T>{products, context_.precision == Precision::tf32, view<float>(partial)}
              .run(cuda);
        });
  });
  jobs_.clear();
  bytes_ = 0;
}

}  // namespace py4cast
