#include "kernels/products/mlp.h"

#include <algorithm>
#include <optional>

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/products/linear.h"
#include "kernels/products/mlp_cuda.h"
#include "kernels/products/mlp_kernels.h"

namespace py4cast {
namespace {

// The edges whose messages are added; none: each row is a result.
struct Along {
  SegmentIndex from, to;
  bool mean;
};

// What the tape sees, in the order of the gradients: x, senders, receivers, weights.
using Inputs = std::vector<Tensor>;
Inputs inputs_of(const Tensor& x, const Tensor& senders, const Tensor& receivers,
                 const MlpWeights& w) {
  return {x, senders, receivers, w.first, w.first_bias, w.last, w.last_bias, w.gamma, w.beta};
}

Tensor composite(Context& context, const Inputs& in, const std::optional<Along>& along,
                 const MlpWeights& weights) {
  return along ? message_sums_composite(context, in[0], in[1], along->from, in[2], along->to,
                                        weights, along->mean)
               : mlp_composite(context, in[0], weights);
}

bool has_kernel(const Context& context, const Tensor& x, const MlpWeights& w) {
  const bool cpu = context.device.kind == DeviceKind::cpu;
  if ((!cpu && x.type() == DataType::f64) || x.rank() == 0 || w.last.rank() != 2 ||
      (w.first.defined() && w.first.rank() != 2))
    return false;
  return std::max({x.shape().back(), w.last.size(0), w.last.size(1)}) <=
         (cpu ? mlp_width : mlp_cuda_width);
}

void check_sizes(const Context& context, const char* op, const Tensor& x, const MlpWeights& w) {
  const auto fits = [&](const Tensor& v, const Shape& shape) {
    return v.type() == compute_type(x.type()) && v.shape() == shape;
  };
  const int64_t in = x.shape().back(), hidden = w.first.defined() ? w.first.size(1) : in;
  const Shape row{w.last.size(1)};
  if (w.first.defined() &&
      (!fits(w.first, {in, hidden}) || (w.first_bias.defined() && !fits(w.first_bias, {hidden}))))
    throw shape_error(
        context, op, ": the first weight is ", w.first.shape(), " and x ", name_of(x.type()), " ",
        x.shape(), "; they must be [in, hidden] and [..., in], and the bias [hidden], of one type");
  if (!fits(w.last, {hidden, row[0]}) || !fits(w.last_bias, row) ||
      (w.gamma.defined() && (!fits(w.gamma, row) || !fits(w.beta, row))))
    throw shape_error(context, op, ": weight is ", w.last.shape(), ", bias ", w.last_bias.shape(),
                      " after ", hidden, " features of type ", name_of(x.type()),
                      "; they must be [hidden, out] and [out], of one type");
}

void check_nodes(const Context& context, const char* op, const MlpSizes& sizes,
                 const Inputs& inputs, const Along& along) {
  const Tensor &x = inputs[0], &senders = inputs[1], &receivers = inputs[2];
  const auto fits = [&](const Tensor& v, int64_t rows, int64_t features,
                        const SegmentIndex& index) {
    return v.type() == x.type() && v.shape() == Shape{x.size(0), rows, features} &&
           index.index().device() == context.device;
  };
  if (x.rank() != 3 || !fits(x, along.from.edges(), sizes.features(), along.from) ||
      !fits(x, along.to.edges(), sizes.features(), along.to) ||
      !fits(senders, along.from.nodes(), sizes.hidden, along.from) ||
      !fits(receivers, along.to.nodes(), sizes.hidden, along.to))
    throw shape_error(context, op, ": x is ", x.shape(), ", senders ", senders.shape(),
                      " and receivers ", receivers.shape(), " for ", along.from.edges(),
                      " edges from ", along.from.nodes(), " to ", along.to.nodes(), " nodes and ",
                      sizes.hidden,
                      " hidden features; they must agree in batch, features and type");
}

// Views of the tables, of no elements where there are no edges.
struct Tables {
  explicit Tables(const std::optional<Along>& along) {
    if (!along) return;
    from = along->from.index();
    to = along->to.index();
    order = along->to.order();
    offsets = along->to.offsets();
  }
  Tensor from, to, order, offsets;
};

// On a GPU; false on CPUs.
bool forward_on_gpu(const Context& context, const char* op, const MlpSizes& sizes,
                    const Inputs& inputs, const std::optional<Along>& along, const MlpWeights& w,
                    const Tensor& y) {
  return on_cuda(context, [&](auto device) {
    if (context.dry()) return;
    const Tables tables(along);
    with_type<float, bfloat16>(
        context, op, y.type(), device,
        running<MlpCudaForward>(sizes, context.precision == Precision::tf32, inputs[0], inputs[1],
                                inputs[2], tables.from, tables.to, tables.order, tables.offsets,
                                along && along->mean, w.first, w.first_bias, w.last, w.last_bias,
                                w.gamma, w.beta, w.epsilon, y));
  });
}
bool backward_on_gpu(Context& context, const MlpSizes& sizes, const Tensor& dy,
                     const Inputs& inputs, const std::optional<Along>& along, const MlpWeights& w,
                     const Tensor& dz, const Gradients& result) {
  return on_cuda(context, [&](auto device) {
    const Tensor partial = context.empty(
        {sizes.batch * mlp_gradient_parts(sizes), mlp_gradient_numbers(sizes)}, DataType::f32);
    if (context.dry()) return;
    const Tables tables(along);
    with_type<float, bfloat16>(
        context, "mlp", dy.type(), device,
        running<MlpCudaBackward>(sizes, context.precision == Precision::tf32, dy, inputs[0],
                                 inputs[1], inputs[2], tables.from, tables.to, tables.order,
                                 tables.offsets, along && along->mean, w.first, w.first_bias,
                                 w.last, w.last_bias, w.gamma, w.epsilon, partial,
                                 sizes.in ? result[0] : Tensor(), dz, result[2], result[3],
                                 result[4], result[5], result[6], result[7], result[8]));
  });
}

// Multiplications and additions of the products of one row.
double product_flops(const MlpWeights& w) {
  return per_element(w.last, 2) + (w.first.defined() ? per_element(w.first, 2) : 0);
}

// The gradients of x and, on CPUs, of receivers take over their memory if nobody else holds it: a row is
// read before it is written.
Gradients gradients(Context& context, const MlpSizes& sizes, const Tensor& dy, Inputs inputs,
                    const std::optional<Along>& along, const MlpWeights& w, const Needed& needed) {
  const bool cpu = context.device.kind == DeviceKind::cpu;
  const DataType type = dy.type(), numbers = compute_type(type);
  Gradients result(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    if (needed[i] && i != 1)
      result[i] = i == 0 || (i == 2 && cpu) ? reuse_or_empty(context, inputs[i])
                                            : context.empty(inputs[i].shape(), inputs[i].type());
  // Of the results of the first layer; without one they are x.
  Tensor dz = sizes.in ? Tensor() : result[0];
  if (needed[1] && !dz.defined())
    dz = context.empty(inputs[0].shape().with(-1, sizes.hidden), type);
  if (!backward_on_gpu(context, sizes, dy, inputs, along, w, dz, result)) {
    const Tensor packed = context.empty({sizes.packed_backward()}, numbers),
                 partial = context.empty({sizes.chunks() * sizes.gradients()}, numbers);
    const Tables tables(along);
    on_cpu_for_products<float, double, bfloat16>(
        context, "mlp", type,
        running<MlpBackward>(sizes, dy, inputs[0], inputs[1], inputs[2], tables.from, tables.to,
                             tables.order, tables.offsets, along && along->mean, w.first,
                             w.first_bias, w.last, w.last_bias, w.gamma, w.epsilon, packed, partial,
                             sizes.in ? result[0] : Tensor(), dz, result[2], result[3], result[4],
                             result[5], result[6], result[7], result[8]));
  }
  announce(context,
           {"mlp_gradient", 3 * product_flops(w) * static_cast<double>(sizes.batch * sizes.rows)},
           {dy, inputs[0]}, {result[0], result[5]});
  inputs.clear();
  if (needed[1]) result[1] = segment_sum(context, dz, along->from);
  return result;
}

Tensor fused(Context& context, const char* op, Inputs inputs, const std::optional<Along>& along,
             const MlpWeights& w) {
  const Tensor& x = inputs[0];
  if (!has_kernel(context, x, w)) {
    if (context.device.kind == DeviceKind::cpu || !w.first.defined())
      return composite(context, inputs, along, w);
    // What comes in is wide, perhaps, and not what follows.
    MlpWeights rest = w;
    rest.first = rest.first_bias = {};
    return fused(context, op,
                 inputs_of(linear(context, x, w.first, w.first_bias), inputs[1], inputs[2], rest),
                 along, rest);
  }
  check_sizes(context, op, x, w);
  const int64_t batch = along ? x.size(0) : 1, features = x.shape().back(), hidden = w.last.size(0),
                out = w.last.size(1);
  const MlpSizes sizes{batch,
                       x.numel() / std::max<int64_t>(batch * features, 1),
                       along ? along->to.nodes() : 0,
                       w.first.defined() ? features : 0,
                       hidden,
                       out};
  if (along) check_nodes(context, op, sizes, inputs, *along);
  Tensor y =
      context.empty(along ? Shape{batch, sizes.nodes, out} : x.shape().with(-1, out), x.type());
  if (!forward_on_gpu(context, op, sizes, inputs, along, w, y)) {
    const Tables tables(along);
    const Tensor packed = context.empty({sizes.packed_forward()}, compute_type(x.type()));
    on_cpu_for_products<float, double, bfloat16>(
        context, op, x.type(),
        running<MlpForward>(sizes, x, inputs[1], inputs[2], tables.from, tables.to, tables.order,
                            tables.offsets, along && along->mean, w.first, w.first_bias, w.last,
                            w.last_bias, w.gamma, w.beta, w.epsilon, packed, y));
  }
  Rule rule = [sizes, inputs, along, w](Context& inner, Gradients dy,
                                        const Needed& needed) mutable -> Gradients {
    if (inner.tape)
      return composite_gradients(
          inner, [&](Context& c) { return std::vector{composite(c, inputs, along, w)}; }, inputs,
          std::move(dy));
    return gradients(inner, sizes, dy[0], inner.last_use ? std::move(inputs) : inputs, along, w,
                     needed);
  };
  const double rows = static_cast<double>(batch * sizes.rows);
  const double each = static_cast<double>((along ? 7 : 5) * hidden +
                                          ((w.gamma.defined() ? 8 : 0) + (along ? 1 : 0)) * out);
  record(context, {op, rows * (product_flops(w) + each)}, inputs, {&y, 1}, std::move(rule));
  return y;
}

}  // namespace

Tensor mlp(Context& context, const Tensor& x, const MlpWeights& weights) {
  return fused(context, "mlp", inputs_of(x, {}, {}, weights), {}, weights);
}

Tensor message_sums(Context& context, const Tensor& x, const Tensor& senders,
                    const SegmentIndex& from, const Tensor& receivers, const SegmentIndex& to,
                    const MlpWeights& weights, bool mean) {
  return fused(context, "message_sums", inputs_of(x, senders, receivers, weights),
               Along{from, to, mean}, weights);
}

namespace {

Tensor first_layer(Context& context, const Tensor& x, const MlpWeights& w) {
  return w.first.defined() ? linear(context, x, w.first, w.first_bias) : x;
}
Tensor after_first(Context& context, const Tensor& z, const MlpWeights& w) {
  const Tensor h = activation(context, z, Activation::silu);
  const Tensor y = linear(context, h, w.last, w.last_bias);
  return w.gamma.defined() ? layer_norm(context, y, w.gamma, w.beta, w.epsilon) : y;
}

}  // namespace

Tensor mlp_composite(Context& context, const Tensor& x, const MlpWeights& weights) {
  return after_first(context, first_layer(context, x, weights), weights);
}

Tensor message_sums_composite(Context& context, const Tensor& x, const Tensor& senders,
                              const SegmentIndex& from, const Tensor& receivers,
                              const SegmentIndex& to, const MlpWeights& weights, bool mean) {
  const Tensor messages = after_first(
      context, edge_sum(context, first_layer(context, x, weights), senders, from, receivers, to),
      weights);
  return mean ? segment_mean(context, messages, to) : segment_sum(context, messages, to);
}

}  // namespace py4cast
