#include "kernels/products/weight_gradients.h"

#include <algorithm>

#include "kernels/common/dispatch.h"
#include "kernels/products/weight_gradients_cuda.h"

namespace py4cast {
namespace {

// More rows fill a GPU by themselves, and are not to be kept alive.
constexpr int64_t most_rows = 8192;
constexpr size_t most_waiting = size_t{16} << 20;  // bytes of factors, and of parts

int64_t parts_of(const Tensor& x) {
  return (rows_of(x) + weight_gradient_rows - 1) / weight_gradient_rows;
}

SumOfParts sum_of(const PartSum& sum) {
  const auto& [partial, first_row, to] = sum;
  return {partial.size(0),   partial.size(1),
          first_row,         to.rank() == 2 ? to.size(0) : 1,
          to.shape().back(), view<const float>(partial),
          view<float>(to)};
}

}  // namespace

void sum_parts(const Context& context, const std::vector<PartSum>& sums, bool adds) {
  on_cuda(context, [&](auto device) {
    if (context.dry()) return;
    std::vector<SumOfParts> all;
    for (const PartSum& sum : sums) all.push_back(sum_of(sum));
    SumsOfParts{all, adds}.run(device);
  });
}

bool WeightGradients::waits(const Tensor& to) const {
  const auto overlaps = [&](const auto& other) {
    return other.to.offset_bytes() < to.offset_bytes() + to.bytes() &&
           to.offset_bytes() < other.to.offset_bytes() + other.to.bytes();
  };
  return std::ranges::any_of(jobs_, overlaps) || std::ranges::any_of(sums_, overlaps);
}

bool WeightGradients::take(const Tensor& weight, const Tensor& x, const Tensor& dy) {
  const Tensor to = of(weight);
  const int64_t in = x.shape().back(), out = dy.shape().back();
  if (!to.defined() || to.type() != DataType::f32 || dy.type() != x.type() ||
      in > weight_gradient_width || out > weight_gradient_width || x.numel() == 0 ||
      x.numel() / in > most_rows)
    return false;
  if (waits(to) || (!jobs_.empty() && jobs_.front().x.type() != x.type())) finish();
  jobs_.push_back({x, dy, to});
  bytes_ += x.bytes() + dy.bytes();
  if (jobs_.size() == most_weight_gradients || bytes_ > most_waiting) finish();
  return true;
}

void WeightGradients::take(const std::vector<PartSum>& sums) {
  for (const PartSum& sum : sums)
    if (waits(sum.to)) finish();
  sums_.insert(sums_.end(), sums.begin(), sums.end());
  part_bytes_ += sums.front().partial.bytes();
  if (part_bytes_ > most_waiting) add_up();
}

void WeightGradients::finish() {
  if (!jobs_.empty()) multiply();
  add_up();
}

void WeightGradients::add_up() {
  sum_parts(context_, sums_, true);
  sums_.clear();
  part_bytes_ = 0;
}

// The products of all jobs; their parts wait for their sums.
void WeightGradients::multiply() {
  int64_t parts = 0;
  for (const Job& job : jobs_) parts += parts_of(job.x);
  const int64_t width = weight_gradient_width;
  const Tensor partial = context_.empty({parts, width, width}, DataType::f32);
  on_cuda(context_, [&](auto device) {
    if (context_.dry()) return;
    with_type<float, bfloat16>(
        context_, "linear", jobs_[0].x.type(), device, [&]<typename T>(auto cuda, Type<T>) {
          std::vector<SmallProduct<T>> products;
          for (const auto& [x, dy, to] : jobs_)
            products.push_back(
                {rows_of(x), to.size(0), to.size(1), view<const T>(x), view<const T>(dy)});
          SmallProducts<T>{products, context_.precision == Precision::tf32, view<float>(partial)}
              .run(cuda);
        });
  });
  parts = 0;
  for (const Job& job : jobs_) {
    const int64_t own = parts_of(job.x);
    sums_.push_back(
        {partial.viewed({own, width, width}, {width * width, width, 1}, parts * width * width), 0,
         job.to});
    parts += own;
  }
  jobs_.clear();
  bytes_ = 0;
}

}  // namespace py4cast
