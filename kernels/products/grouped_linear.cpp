#include "kernels/products/grouped_linear.h"

#include <algorithm>

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
#include "kernels/products/grouped_linear_cuda.h"
#include "kernels/products/linear.h"
#include "kernels/products/weight_gradients.h"

namespace py4cast {
namespace {

std::vector<Tensor> composite(Context& context, const std::vector<RowsAndWeight>& products) {
  std::vector<Tensor> y;
  for (const auto& [x, weight] : products) y.push_back(linear(context, x, weight));
  return y;
}

bool has_kernel(const Context& context, const std::vector<RowsAndWeight>& products) {
  const DataType type = products.front().x.type();
  const auto fits = [&](const RowsAndWeight& product) {
    const auto& [x, weight] = product;
    return x.rank() > 0 && weight.rank() == 2 && x.type() == type &&
           weight.type() == DataType::f32 && weight.size(0) == x.shape().back() &&
           std::max(weight.size(0), weight.size(1)) <= grouped_linear_width &&
           rows_of(x) <= grouped_linear_rows;
  };
  return context.device.kind == DeviceKind::cuda && type != DataType::f64 &&
         products.size() <= most_grouped_products && std::ranges::all_of(products, fits);
}

// y = the sum of the products of the rows with the weights, or their transposes.
struct Sum {
  std::vector<RowsAndWeight> terms;
  bool adds;
  Tensor y;
};
void run(const Context& context, const std::vector<Sum>& sums, bool transposed) {
  on_cuda(context, [&](auto device) {
    if (context.dry()) return;
    with_type<float, bfloat16>(
        context, "grouped_linear", sums.front().y.type(), device,
        [&]<typename T>(auto cuda, Type<T>) {
          std::vector<SumOfProducts<T>> all;
          for (const auto& [terms, adds, y] : sums) {
            SumOfProducts<T>& sum = all.emplace_back(
                SumOfProducts<T>{rows_of(y), y.shape().back(), {}, adds, view<T>(y)});
            for (const auto& [x, weight] : terms)
              sum.terms.push_back({x.shape().back(), view<const T>(x), view<const float>(weight)});
          }
          GroupedProducts<T>{all, transposed, context.precision == Precision::tf32}.run(cuda);
        });
  });
}

double flops(const RowsAndWeight& product) {
  return 2 * static_cast<double>(rows_of(product.x)) * static_cast<double>(product.weight.numel());
}

// The products, each with the number of its x among all that differ.
struct Group {
  std::vector<RowsAndWeight> products;
  std::vector<size_t> own;
  std::vector<Tensor> inputs;  // all x that differ, then the weights

  size_t distinct() const { return inputs.size() - products.size(); }
};
Group grouped(const std::vector<RowsAndWeight>& products) {
  Group group{products, {}, {}};
  for (const RowsAndWeight& product : products) {
    const auto same = [&x = product.x](const Tensor& y) {
      return y.storage() == x.storage() && y.offset_bytes() == x.offset_bytes() &&
             y.shape() == x.shape() && y.variable().tape == x.variable().tape &&
             y.variable().index == x.variable().index;
    };
    const auto found = std::ranges::find_if(group.inputs, same);
    group.own.push_back(static_cast<size_t>(found - group.inputs.begin()));
    if (found == group.inputs.end()) group.inputs.push_back(product.x);
  }
  for (const RowsAndWeight& product : products) group.inputs.push_back(product.weight);
  return group;
}

Gradients gradients(Context& context, const Group& group, const Gradients& dy,
                    const Needed& needed) {
  Gradients result(group.inputs.size());
  std::vector<Sum> sums;
  std::vector<Tensor> read = dy;
  double work = 0;
  for (size_t i = 0; i < group.distinct(); ++i) {
    if (!needed[i]) continue;
    const Tensor& x = group.inputs[i];
    Tensor* const before = context.sums ? (*context.sums)[i] : nullptr;
    const bool adds =
        before && before->unique() && before->contiguous() && before->type() == x.type();
    result[i] = adds ? std::exchange(*before, {}) : context.empty(x.shape(), x.type());
    Sum& sum = sums.emplace_back(Sum{{}, adds, result[i]});
    for (size_t k = 0; k < dy.size(); ++k)
      if (group.own[k] == i) {
        sum.terms.push_back({dy[k], group.products[k].weight});
        read.push_back(group.products[k].weight);
        work += flops(group.products[k]);
      }
  }
  if (!sums.empty()) {
    run(context, sums, true);
    announce(context, {"grouped_linear_gradient", work}, read, result);
  }
  for (size_t k = 0; k < dy.size(); ++k) {
    const size_t at = group.distinct() + k;
    const auto& [x, weight] = group.products[k];
    if (!needed[at]) continue;
    if (context.last_use && context.weight_gradients &&
        context.weight_gradients->take(weight, x, dy[k]))
      announce(context, {"linear_weight_gradient", flops(group.products[k])}, {x, dy[k]}, {});
    else
      result[at] = linear_weight_gradient(context, x, dy[k]);
  }
  return result;
}

}  // namespace

std::vector<Tensor> grouped_linear(Context& context, const std::vector<RowsAndWeight>& products) {
  if (products.empty() || !has_kernel(context, products)) return composite(context, products);
  std::vector<Tensor> y;
  std::vector<Sum> sums;
  double work = 0;
  for (const RowsAndWeight& product : products) {
    const auto& [x, weight] = product;
    y.push_back(context.empty(x.shape().with(-1, weight.size(1)), x.type()));
    sums.push_back({{product}, false, y.back()});
    work += flops(product);
  }
  run(context, sums, false);
  const Group group = grouped(products);
  record(context, {"grouped_linear", work}, group.inputs, y,
         [group](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
           if (inner.tape)
             return composite_gradients(
                 inner, [&](Context& c) { return composite(c, group.products); }, group.inputs,
                 std::move(dy));
           return gradients(inner, group, dy, needed);
         });
  return y;
}

}  // namespace py4cast
