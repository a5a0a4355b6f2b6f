#include "kernels/products/linear.h"

#include <algorithm>
#include <utility>

#include "kernels/common/dispatch.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "kernels/products/convolution_kernels.h"
#include "kernels/products/cuda_products.h"
#include "kernels/products/linear_kernels.h"
#include "kernels/products/weight_gradients.h"

namespace py4cast {
namespace {

// The last axis of x and axis `axis` of the weight must agree.
void check_weight(const Context& context, const char* op, const char* x_name, const Tensor& x,
                  const Tensor& weight, int axis) {
  if (x.rank() < 1 || weight.rank() != 2 || weight.type() != compute_type(x.type()) ||
      weight.size(axis) != x.shape().back())
    throw shape_error(context, op, ": weight is ", name_of(weight.type()), " ", weight.shape(),
                      " but ", x_name, " is ", name_of(x.type()), " ", x.shape(), ": axis ", axis,
                      " of weight goes with the last axis of ", x_name);
}

// In bf16 a product is a convolution along the rows, with a kernel of one element.
constexpr Tap own_row{};
Correlation along_rows(int64_t rows, int64_t in, int64_t out) {
  return {.batch = 1,
          .in = {1, 1, rows},
          .out = {1, 1, rows},
          .in_step = {1, 1, 1},
          .out_size = {1, 1, rows},
          .out_step = {1, 1, 1},
          .groups = 1,
          .in_channels = in,
          .out_channels = out,
          .taps = {&own_row, 1}};
}

void product_bf16(Context& context, const Tensor& x, const Tensor& weight, bool transposed,
                  const Tensor& bias, const Tensor& y) {
  const PackSizes sizes{1, 1, x.shape().back(), y.shape().back(), transposed};
  const Tensor packed = context.empty({packed_size(sizes)}, DataType::f32);
  on_cpu_for_products<bfloat16>(context, "linear", x.type(),
                                running<PackWeights>(sizes, weight, bias, packed));
  on_cpu_for_products<bfloat16>(
      context, "linear", x.type(),
      running<Correlate>(along_rows(rows_of(x), sizes.in, sizes.out), sizes, x, packed, y));
}

// f64, too.
void product_f32(Context& context, const Tensor& x, const Tensor& weight, bool transposed,
                 const Tensor& bias, bool adds, const Tensor& y) {
  const int64_t depth = x.shape().back(), columns = y.shape().back();
  const Tensor packed = context.empty({depth + 1, packed_columns(columns)}, x.type());
  on_cpu<float, double>(context, "linear", x.type(),
                        running<LinearProduct>(rows_of(x), depth, columns, x, weight, transposed,
                                               bias, adds, packed, y));
}

void weight_gradient_bf16(Context& context, const Tensor& x, const Tensor& dy,
                          const Tensor& dweight) {
  const int64_t rows = rows_of(x), in = x.shape().back(), out = dy.shape().back();
  const int64_t chunks = weight_chunks(weight_pieces(1, rows), piece_pixels, in * out);
  const Tensor partial =
      context.empty({chunks * padded_weights({1, 1, in, out, false})}, DataType::f32);
  on_cpu_for_products<bfloat16>(
      context, "linear", x.type(),
      running<ConvolutionWeightGradient>(along_rows(rows, in, out), x, dy, partial, dweight));
}

// y = x weight (or its transpose) + bias
Tensor product(Context& context, const Tensor& x, const Tensor& weight, bool transposed,
               const Tensor& bias) {
  Tensor y = context.empty(x.shape().with(-1, weight.size(transposed ? 0 : 1)), x.type());
  if (on_cuda(context, [&](auto) { cuda_linear(context, x, weight, transposed, bias, y); }))
    return y;
  if (x.type() == DataType::bf16) {
    product_bf16(context, x, weight, transposed, bias, y);
    return y;
  }
  product_f32(context, x, weight, transposed, bias, false, y);
  return y;
}

// Of a product with a weight [in, out] of so many elements: its bias is not counted.
double flops(const Tensor& x, int64_t weights) {
  return 2.0 * static_cast<double>(rows_of(x)) * static_cast<double>(weights);
}

Tensor sum_of_rows(Context& context, const Tensor& dy) {
  const int64_t columns = dy.shape().back();
  const Tensor flat = reshape(context, dy, {rows_of(dy), columns});
  return reshape(context, wide_sum_to(context, flat, {1, columns}), {columns});
}

struct WeightGradient {
  Tensor weight, bias;
};

WeightGradient weight_gradient(Context& context, const Tensor& x, const Tensor& dy,
                               bool with_bias) {
  const int64_t rows = rows_of(x), in = x.shape().back(), out = dy.shape().back();
  WeightGradient result;
  result.weight = context.empty({in, out}, compute_type(x.type()));
  const bool on_gpu =
      on_cuda(context, [&](auto) { cuda_linear_weight_gradient(context, x, dy, result.weight); });
  if (on_gpu || x.type() == DataType::bf16) {
    if (!on_gpu) weight_gradient_bf16(context, x, dy, result.weight);
    if (with_bias) result.bias = sum_of_rows(context, dy);
    return result;
  }
  if (with_bias) result.bias = context.empty({out}, x.type());
  const Tensor partial =
      context.empty({weight_gradient_chunks(rows, in, out), in + 1, packed_columns(out)}, x.type());
  on_cpu<float, double>(
      context, "linear", x.type(),
      running<LinearWeightGradient>(rows, in, out, x, dy, partial, result.weight, result.bias));
  return result;
}

// To the gradient of x so far, in place, if that can be.
Tensor data_gradient(Context& context, const Tensor& dy, const Tensor& weight) {
  Tensor* const sum = context.sums ? context.sums->front() : nullptr;
  bool added = false;
  if (sum && sum->unique() && sum->contiguous() && sum->type() == dy.type() && !context.tape &&
      !on_cuda(context, [&](auto) { added = cuda_linear_adds(context, dy, weight, true, *sum); }) &&
      dy.type() != DataType::bf16) {
    product_f32(context, dy, weight, true, {}, true, *sum);
    added = true;
  }
  if (!added) return linear_data_gradient(context, dy, weight);
  announce(context, {"linear_data_gradient", flops(dy, weight.numel())}, {dy, weight}, {*sum});
  return std::exchange(*sum, {});
}

}  // namespace

Tensor linear(Context& context, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_weight(context, "linear", "x", x, weight, 0);
  if (bias.defined() &&
      (bias.rank() != 1 || bias.type() != compute_type(x.type()) || bias.numel() != weight.size(1)))
    throw shape_error(context, "linear: bias is ", name_of(bias.type()), " ", bias.shape(),
                      " but weight is ", name_of(weight.type()), " ", weight.shape());
  Tensor y = product(context, x, weight, false, bias);
  return record(
      context, {"linear", flops(x, weight.numel())}, {x, weight, bias}, std::move(y),
      [x, weight](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
        Gradients result(3);
        if (needed[0]) result[0] = data_gradient(inner, dy[0], weight);
        if (inner.tape) {
          if (needed[1]) result[1] = linear_weight_gradient(inner, x, dy[0]);
          if (needed[2]) result[2] = sum_of_rows(inner, dy[0]);
        } else if (needed[1] && !needed[2] && inner.last_use && inner.weight_gradients &&
                   inner.weight_gradients->take(weight, x, dy[0])) {
          announce(inner, {"linear_weight_gradient", flops(x, weight.numel())}, {x, dy[0]}, {});
        } else if (needed[1]) {
          WeightGradient both = weight_gradient(inner, x, dy[0], needed[2]);
          announce(inner, {"linear_weight_gradient", flops(x, both.weight.numel())}, {x, dy[0]},
                   {both.weight, both.bias});
          result[1] = std::move(both.weight);
          result[2] = std::move(both.bias);
        } else if (needed[2]) {
          result[2] = sum_of_rows(inner, dy[0]);
        }
        return result;
      });
}

Tensor linear_data_gradient(Context& context, const Tensor& dy, const Tensor& weight) {
  check_weight(context, "linear_data_gradient", "dy", dy, weight, 1);
  Tensor dx = product(context, dy, weight, true, {});
  return record(context, {"linear_data_gradient", flops(dy, weight.numel())}, {dy, weight},
                std::move(dx),
                [dy, weight](Context& inner, Gradients g, const Needed& needed) -> Gradients {
                  return {needed[0] ? linear(inner, g[0], weight) : Tensor(),
                          needed[1] ? linear_weight_gradient(inner, g[0], dy) : Tensor()};
                });
}

Tensor linear_weight_gradient(Context& context, const Tensor& x, const Tensor& dy) {
  if (x.rank() < 1 || x.rank() != dy.rank() || x.type() != dy.type() ||
      x.shape().with(-1, 0) != dy.shape().with(-1, 0))
    throw shape_error(context, "linear_weight_gradient: x is ", name_of(x.type()), " ", x.shape(),
                      " but dy is ", name_of(dy.type()), " ", dy.shape(),
                      ": they may differ in the last axis only");
  const Tensor dweight = weight_gradient(context, x, dy, false).weight;
  return record(context, {"linear_weight_gradient", flops(x, dweight.numel())}, {x, dy}, dweight,
                [x, dy](Context& inner, Gradients g, const Needed& needed) -> Gradients {
                  return {needed[0] ? linear_data_gradient(inner, dy, g[0]) : Tensor(),
                          needed[1] ? linear(inner, x, g[0]) : Tensor()};
                });
}

}  // namespace py4cast
