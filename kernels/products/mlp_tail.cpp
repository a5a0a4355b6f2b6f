#include "kernels/products/mlp_tail.h"

#include <algorithm>
#include <optional>

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/products/linear.h"
#include "kernels/products/mlp_tail_kernels.h"

namespace py4cast {
namespace {

// The edges whose messages are added; none: each row is a result.
struct Along {
  Tensor senders, receivers;
  SegmentIndex from, to;
  bool mean;
};

Tensor composite(Context& context, const Tensor& x, const std::optional<Along>& along,
                 const MlpTail& tail) {
  return along ? message_sums_composite(context, x, along->senders, along->from, along->receivers,
                                        along->to, tail, along->mean)
               : mlp_tail_composite(context, x, tail);
}

bool has_kernel(const Context& context, const Tensor& x, const MlpTail& tail) {
  return context.device.kind == DeviceKind::cpu && x.type() != DataType::bf16 && x.rank() > 0 &&
         tail.weight.rank() == 2 &&
         std::max(tail.weight.size(0), tail.weight.size(1)) <= mlp_tail_width;
}

void check_sizes(const Context& context, const char* op, const Tensor& x, const MlpTail& tail) {
  const auto fits = [&](const Tensor& v, const Shape& shape) {
    return v.type() == x.type() && v.shape() == shape;
  };
  const Shape row{tail.weight.size(1)};
  if (!fits(tail.weight, {x.shape().back(), row[0]}) || !fits(tail.bias, row) ||
      (tail.gamma.defined() && (!fits(tail.gamma, row) || !fits(tail.beta, row))))
    throw shape_error(context, op, ": weight is ", tail.weight.shape(), ", bias ",
                      tail.bias.shape(), " and x ", name_of(x.type()), " ", x.shape(),
                      "; they must be [hidden, out], [out] and [..., hidden], of one type");
}

void check_nodes(const Context& context, const char* op, const Tensor& x, const Along& along) {
  const auto fits = [&](const Tensor& v, int64_t rows, const SegmentIndex& index) {
    return v.type() == x.type() && v.shape() == Shape{x.size(0), rows, x.size(2)} &&
           index.index().device() == context.device;
  };
  if (x.rank() != 3 || !fits(x, along.from.edges(), along.from) ||
      !fits(x, along.to.edges(), along.to) ||
      !fits(along.senders, along.from.nodes(), along.from) ||
      !fits(along.receivers, along.to.nodes(), along.to))
    throw shape_error(context, op, ": x is ", x.shape(), ", senders ", along.senders.shape(),
                      " and receivers ", along.receivers.shape(), " for ", along.from.edges(),
                      " edges from ", along.from.nodes(), " to ", along.to.nodes(),
                      " nodes; they must agree in batch, channels and type");
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

Gradients gradients(Context& context, const MlpTailSizes& sizes, const Tensor& dy, const Tensor& x,
                    const std::optional<Along>& along, const MlpTail& tail, const Needed& needed) {
  const DataType type = x.type();
  const Tensor packed = context.empty({sizes.packed() + sizes.packed_transpose()}, type),
               partial = context.empty({sizes.chunks() * sizes.gradients()}, type);
  Gradients result(7);
  result[0] = context.empty(x.shape(), type);
  if (needed[2]) result[2] = context.empty(along->receivers.shape(), type);
  for (size_t i = 3; const Tensor* v : {&tail.weight, &tail.bias, &tail.gamma, &tail.beta}) {
    if (needed[i]) result[i] = context.empty(v->shape(), type);
    ++i;
  }
  const Tables tables(along);
  on_cpu<float, double>(
      context, "mlp_tail", type,
      running<MlpTailBackward>(sizes, dy, x, along ? along->senders : Tensor(),
                               along ? along->receivers : Tensor(), tables.from, tables.to,
                               tables.order, tables.offsets, along && along->mean, tail.weight,
                               tail.bias, tail.gamma, tail.epsilon, packed, partial, result[0],
                               result[2], result[3], result[4], result[5], result[6]));
  announce(context,
           {"mlp_tail_gradient",
            6 * per_element(tail.weight, static_cast<double>(sizes.batch * sizes.rows))},
           {dy, x}, {result[0], result[3]});
  if (needed[1]) result[1] = segment_sum(context, result[0], along->from);
  if (!needed[0]) result[0] = Tensor();
  return result;
}

Tensor fused(Context& context, const char* op, const Tensor& x, const std::optional<Along>& along,
             const MlpTail& tail) {
  if (!has_kernel(context, x, tail)) return composite(context, x, along, tail);
  check_sizes(context, op, x, tail);
  if (along) check_nodes(context, op, x, *along);
  const int64_t batch = along ? x.size(0) : 1, hidden = tail.weight.size(0),
                out = tail.weight.size(1);
  const MlpTailSizes sizes{batch, x.numel() / std::max<int64_t>(batch * hidden, 1),
                           along ? along->to.nodes() : 0, hidden, out};
  Tensor y =
      context.empty(along ? Shape{batch, sizes.nodes, out} : x.shape().with(-1, out), x.type());
  const Tables tables(along);
  const Tensor senders = along ? along->senders : Tensor(),
               receivers = along ? along->receivers : Tensor();
  const Tensor packed = context.empty({sizes.packed()}, x.type());
  on_cpu<float, double>(
      context, op, x.type(),
      running<MlpTailForward>(sizes, x, senders, receivers, tables.from, tables.to, tables.order,
                              tables.offsets, along && along->mean, tail.weight, tail.bias,
                              tail.gamma, tail.beta, tail.epsilon, packed, y));
  Rule rule = [=](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
    if (inner.tape)
      return composite_gradients(
          inner, [&](Context& c) { return std::vector{composite(c, x, along, tail)}; },
          {x, senders, receivers, tail.weight, tail.bias, tail.gamma, tail.beta}, std::move(dy));
    return gradients(inner, sizes, dy[0], x, along, tail, needed);
  };
  const double rows = static_cast<double>(batch * sizes.rows);
  const double each = static_cast<double>((along ? 7 : 5) * hidden +
                                          ((tail.gamma.defined() ? 8 : 0) + (along ? 1 : 0)) * out);
  return record(context, {op, per_element(tail.weight, 2 * rows) + rows * each},
                {x, senders, receivers, tail.weight, tail.bias, tail.gamma, tail.beta},
                std::move(y), std::move(rule));
}

}  // namespace

Tensor mlp_tail(Context& context, const Tensor& x, const MlpTail& tail) {
  return fused(context, "mlp_tail", x, {}, tail);
}

Tensor message_sums(Context& context, const Tensor& x, const Tensor& senders,
                    const SegmentIndex& from, const Tensor& receivers, const SegmentIndex& to,
                    const MlpTail& tail, bool mean) {
  return fused(context, "message_sums", x, Along{senders, receivers, from, to, mean}, tail);
}

Tensor mlp_tail_composite(Context& context, const Tensor& x, const MlpTail& tail) {
  const Tensor h = activation(context, x, Activation::silu);
  const Tensor y = linear(context, h, tail.weight, tail.bias);
  return tail.gamma.defined() ? layer_norm(context, y, tail.gamma, tail.beta, tail.epsilon) : y;
}

Tensor message_sums_composite(Context& context, const Tensor& x, const Tensor& senders,
                              const SegmentIndex& from, const Tensor& receivers,
                              const SegmentIndex& to, const MlpTail& tail, bool mean) {
  const Tensor messages =
      mlp_tail_composite(context, edge_sum(context, x, senders, from, receivers, to), tail);
  return mean ? segment_mean(context, messages, to) : segment_sum(context, messages, to);
}

}  // namespace py4cast
