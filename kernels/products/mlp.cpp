#include "kernels/products/mlp.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/products/linear.h"
#include "kernels/products/mlp_cuda.h"
#include "kernels/products/mlp_kernels.h"
#include "kernels/products/weight_gradients.h"

namespace py4cast {
namespace {

// The edges whose messages are added; none: each row is a result.
struct Along {
  SegmentIndex from, to;
  bool mean;
};

// What the tape sees, in the order of the gradients: x, senders, receivers (without edges, what is
// added to the results of the first layer), weights, base.
using Inputs = std::vector<Tensor>;
// Of x, senders and receivers: how they are made again, if they are.
using Again = std::array<NodeRows::Again, 3>;
Inputs inputs_of(const Tensor& x, const Tensor& senders, const Tensor& receivers,
                 const MlpWeights& w, const Tensor& base = {}) {
  return {x, senders, receivers, w.first, w.first_bias, w.last, w.last_bias, w.gamma, w.beta, base};
}

// What an op gives: the sums at nodes, rows, or both.
struct Form {
  std::optional<Along> along;
  bool update = false;  // rows and what they are added to

  bool has_rows() const { return !along || update; }
};

std::vector<Tensor> composite(Context& context, const Inputs& in, const Form& form,
                              const MlpWeights& weights) {
  if (!form.along)
    return {form.update ? mlp_update_composite(context, in[0], in[2], in[9], weights)
                        : mlp_composite(context, in[0], weights)};
  const auto& [from, to, mean] = *form.along;
  if (!form.update)
    return {message_sums_composite(context, in[0], in[1], from, in[2], to, weights, mean)};
  MessageUpdate both =
      message_update_composite(context, in[0], in[1], from, in[2], to, weights, mean);
  return {std::move(both.sums), std::move(both.rows)};
}

bool has_kernel(const Context& context, const Tensor& x, const MlpWeights& w) {
  const bool cpu = context.device.kind == DeviceKind::cpu;
  if ((!cpu && x.type() == DataType::f64) || x.rank() == 0 || w.last.rank() != 2 ||
      (w.first.defined() && w.first.rank() != 2))
    return false;
  constexpr int64_t most_rows = std::numeric_limits<int32_t>::max();  // of the kernels on GPUs
  if (!cpu && x.numel() / std::max<int64_t>(x.shape().back(), 1) > most_rows) return false;
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

// The rows that messages or results are added to, and without edges what is added to the first layer's
// results.
void check_update(const Context& context, const char* op, const Inputs& inputs, const Form& form,
                  const MlpSizes& sizes) {
  const Tensor &x = inputs[0], &added = inputs[2], &base = form.along ? x : inputs[9];
  const auto fits = [&](const Tensor& v, int64_t features) {
    return v.type() == x.type() && v.shape() == x.shape().with(-1, features);
  };
  if (!sizes.in || !fits(base, sizes.out) || (!form.along && !fits(added, sizes.hidden)))
    throw shape_error(context, op, ": x is ", x.shape(), ", what is added ", added.shape(),
                      " and the base ", base.shape(), " for ", sizes.hidden,
                      " hidden features and ", sizes.out,
                      " results; they must agree in rows and type");
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
                    const Inputs& inputs, const Form& form, const MlpWeights& w, const Tensor& base,
                    const Tensor& rows, const Tensor& y) {
  return on_cuda(context, [&](auto device) {
    if (context.dry()) return;
    const Tables tables(form.along);
    with_type<float, bfloat16>(
        context, op, inputs[0].type(), device,
        running<MlpCudaForward>(sizes, context.precision == Precision::tf32, inputs[0], inputs[1],
                                inputs[2], tables.from, tables.to, tables.order, tables.offsets,
                                form.along && form.along->mean, w.first, w.first_bias, w.last,
                                w.last_bias, w.gamma, w.beta, w.epsilon, base, rows, y));
  });
}
bool backward_on_gpu(Context& context, const MlpSizes& sizes, const Gradients& dy,
                     const Inputs& inputs, const Form& form, const MlpWeights& w, const Tensor& dx,
                     const Tensor& dz, const Gradients& result, const Gradients& added) {
  return on_cuda(context, [&](auto device) {
    const Tensor partial = context.empty(
        {sizes.batch * mlp_gradient_parts(sizes), mlp_part_rows(sizes), mlp_cuda_width},
        DataType::f32);
    if (!context.dry()) {
      const Tables tables(form.along);
      with_type<float, bfloat16>(
          context, "mlp", inputs[0].type(), device,
          running<MlpCudaBackward>(
              sizes, context.precision == Precision::tf32, form.along ? dy.front() : Tensor(),
              form.has_rows() ? dy.back() : Tensor(), inputs[0], inputs[1], inputs[2], tables.from,
              tables.to, tables.order, tables.offsets, form.along && form.along->mean, w.first,
              w.first_bias, w.last, w.last_bias, w.gamma, w.epsilon, partial, dx, dz,
              form.along ? result[2] : Tensor()));
    }
    const Gradients& weights = added.empty() ? result : added;
    // Of the first weight, its bias, the last weight, its bias, gamma, beta.
    const int64_t v = mlp_part_vectors, rows[] = {mlp_part_first, v, 0, v + 1, v + 2, v + 3};
    std::vector<PartSum> sums;
    for (size_t i = 0; i < std::size(rows); ++i)
      if (weights[3 + i].defined()) sums.push_back({partial, rows[i], weights[3 + i]});
    if (sums.empty()) return;
    if (added.empty())
      sum_parts(context, sums, false);
    else
      context.weight_gradients->take(sums);
  });
}

// Multiplications and additions of the products of one row.
double product_flops(const MlpWeights& w) {
  return per_element(w.last, 2) + (w.first.defined() ? per_element(w.first, 2) : 0);
}

// Where the gradients of all weights are added up already; empty: they are tensors.
Gradients added_directly(const Context& context, const Inputs& inputs, const Needed& needed) {
  if (!context.weight_gradients || !context.last_use) return {};
  Gradients result(inputs.size());
  for (size_t i = 3; i < 9; ++i) {
    if (!inputs[i].defined()) continue;
    if (!needed[i]) return {};
    result[i] = context.weight_gradients->of(inputs[i]);
    if (!result[i].defined()) return {};
  }
  return result;
}

// rows = rows weight^T
void multiply_in_place(Context& context, const Tensor& rows, const Tensor& weight) {
  const int64_t features = weight.size(0), count = rows.numel() / features;
  const bool tf32 = context.precision == Precision::tf32;
  const auto done = on_cuda(context, [&](auto device) {
    if (!context.dry())
      with_type<float, bfloat16>(
          context, "mlp", rows.type(), device,
          running<ProductInPlace>(count, features, tf32, weight, Tensor(), rows));
  });
  if (!done)
    on_cpu_for_products<float, double, bfloat16>(
        context, "mlp", rows.type(),
        running<ProductInPlace>(
            count, features, tf32, weight,
            context.empty({MlpSizes::packed(features, features)}, compute_type(rows.type())),
            rows));
}

// The gradients of x and of receivers take over their memory if nobody else holds it: a row is read
// before it is written. dy: of each result.
Gradients gradients(Context& context, const MlpSizes& sizes, const Gradients& dy, Inputs inputs,
                    const Form& form, const MlpWeights& w, const Needed& needed) {
  const DataType type = inputs[0].type(), numbers = compute_type(type);
  Gradients result(inputs.size());
  if (needed[9]) result[9] = dy.back();
  const Gradients added = added_directly(context, inputs, needed);
  for (size_t i = 0; i < 9; ++i)
    if (needed[i] && i != 1 && (i < 3 || added.empty()))
      result[i] = i == 0 || i == 2 ? reuse_or_empty(context, inputs[i])
                                   : context.empty(inputs[i].shape(), inputs[i].type());
  // dx is made of dz in its place, after the senders took their sums of it.
  const bool in_place = needed[0] && needed[1] && !form.has_rows() && sizes.in == sizes.hidden;
  // Of the results of the first layer; without one they are x.
  Tensor dz = !sizes.in || in_place ? result[0] : form.along ? Tensor() : result[2];
  const Tensor dx = sizes.in && !in_place ? result[0] : Tensor();
  if (needed[1] && !dz.defined())
    dz = context.empty(inputs[0].shape().with(-1, sizes.hidden), type);
  if (!backward_on_gpu(context, sizes, dy, inputs, form, w, dx, dz, result, added)) {
    const Tensor packed = context.empty({sizes.packed_backward()}, numbers),
                 partial = context.empty({sizes.chunks() * sizes.gradients()}, numbers);
    const Tables tables(form.along);
    on_cpu_for_products<float, double, bfloat16>(
        context, "mlp", type,
        running<MlpBackward>(
            sizes, form.along ? dy.front() : Tensor(), form.has_rows() ? dy.back() : Tensor(),
            inputs[0], inputs[1], inputs[2], tables.from, tables.to, tables.order, tables.offsets,
            form.along && form.along->mean, w.first, w.first_bias, w.last, w.last_bias, w.gamma,
            w.epsilon, packed, partial, dx, dz, form.along ? result[2] : Tensor(), result[3],
            result[4], result[5], result[6], result[7], result[8]));
  }
  announce(context,
           {"mlp_gradient", 3 * product_flops(w) * static_cast<double>(sizes.batch * sizes.rows)},
           {dy[0], inputs[0]}, {result[0], result[5]});
  inputs.clear();
  if (needed[1]) result[1] = segment_sum(context, dz, form.along->from);
  if (in_place) multiply_in_place(context, result[0], w.first);
  return result;
}

// As they were, where they can be made again.
void make_again(Context& context, const Again& again, Inputs& inputs) {
  Context plain = context.without_tape();
  for (size_t i = 0; i < again.size(); ++i) {
    if (!again[i]) continue;
    const Variable variable = inputs[i].variable();
    inputs[i] = again[i](plain);
    inputs[i].set_variable(variable);
  }
}

std::vector<Tensor> fused(Context& context, const char* op, Inputs inputs, const Form& form,
                          const MlpWeights& w, Again again = {}) {
  const Tensor& x = inputs[0];
  const bool cpu = context.device.kind == DeviceKind::cpu;
  if (!has_kernel(context, x, w)) {
    if (cpu || !w.first.defined() || form.update) return composite(context, inputs, form, w);
    // What comes in is wide, perhaps, and not what follows.
    MlpWeights rest = w;
    rest.first = rest.first_bias = {};
    again[0] = [x, w](Context& inner) { return linear(inner, x, w.first, w.first_bias); };
    const Tensor first = again[0](context);
    return fused(context, op, inputs_of(first, inputs[1], inputs[2], rest), form, rest,
                 std::move(again));
  }
  check_sizes(context, op, x, w);
  const std::optional<Along>& along = form.along;
  const int64_t batch = along ? x.size(0) : 1, features = x.shape().back(), hidden = w.last.size(0),
                out = w.last.size(1);
  const MlpSizes sizes{batch,
                       x.numel() / std::max<int64_t>(batch * features, 1),
                       along ? along->to.nodes() : 0,
                       w.first.defined() ? features : 0,
                       hidden,
                       out};
  if (along) check_nodes(context, op, sizes, inputs, *along);
  if (form.update) check_update(context, op, inputs, form, sizes);
  std::vector<Tensor> y;
  if (along) y.push_back(context.empty({batch, sizes.nodes, out}, x.type()));
  if (form.has_rows()) y.push_back(context.empty(x.shape().with(-1, out), x.type()));
  const Tensor sums = along ? y.front() : Tensor(), rows = form.has_rows() ? y.back() : Tensor(),
               base = !form.update ? Tensor()
                      : along      ? x
                                   : inputs[9];
  if (!forward_on_gpu(context, op, sizes, inputs, form, w, base, rows, sums)) {
    const Tables tables(along);
    const Tensor packed = context.empty({sizes.packed_forward()}, compute_type(x.type()));
    on_cpu_for_products<float, double, bfloat16>(
        context, op, x.type(),
        running<MlpForward>(sizes, x, inputs[1], inputs[2], tables.from, tables.to, tables.order,
                            tables.offsets, along && along->mean, w.first, w.first_bias, w.last,
                            w.last_bias, w.gamma, w.beta, w.epsilon, packed, base, rows, sums));
  }
  Inputs kept = inputs;
  for (size_t i = 0; i < again.size(); ++i)
    if (again[i]) {
      kept[i] = {};
      kept[i].set_variable(inputs[i].variable());
    }
  Rule rule = [sizes, kept, again, form, w](Context& inner, Gradients dy,
                                            const Needed& needed) mutable -> Gradients {
    Inputs all = inner.last_use ? std::move(kept) : kept;
    make_again(inner, again, all);
    if (inner.tape)
      return composite_gradients(
          inner, [&](Context& c) { return composite(c, all, form, w); }, all, std::move(dy));
    return gradients(inner, sizes, dy, std::move(all), form, w, needed);
  };
  const double each = static_cast<double>(
      (along ? 7 : 5) * hidden +
      ((w.gamma.defined() ? 8 : 0) + (along ? 1 : 0) + (form.update ? 1 : 0)) * out);
  record(context, {op, static_cast<double>(batch * sizes.rows) * (product_flops(w) + each)}, inputs,
         y, std::move(rule));
  return y;
}

}  // namespace

Tensor mlp(Context& context, const Tensor& x, const MlpWeights& weights) {
  return fused(context, "mlp", inputs_of(x, {}, {}, weights), {}, weights)[0];
}

Tensor message_sums(Context& context, const Tensor& x, const NodeRows& senders,
                    const SegmentIndex& from, const NodeRows& receivers, const SegmentIndex& to,
                    const MlpWeights& weights, bool mean) {
  return fused(context, "message_sums", inputs_of(x, senders.rows, receivers.rows, weights),
               {Along{from, to, mean}}, weights, {{{}, senders.again, receivers.again}})[0];
}

MessageUpdate message_update(Context& context, const Tensor& x, const Tensor& senders,
                             const SegmentIndex& from, const Tensor& receivers,
                             const SegmentIndex& to, const MlpWeights& weights, bool mean) {
  std::vector<Tensor> both =
      fused(context, "message_update", inputs_of(x, senders, receivers, weights),
            {Along{from, to, mean}, true}, weights);
  return {std::move(both[0]), std::move(both[1])};
}

Tensor mlp_update(Context& context, const Tensor& x, const Tensor& added, const Tensor& base,
                  const MlpWeights& weights) {
  return fused(context, "mlp_update", inputs_of(x, {}, added, weights, base), {{}, true},
               weights)[0];
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
Tensor messages(Context& context, const Tensor& x, const Tensor& senders, const SegmentIndex& from,
                const Tensor& receivers, const SegmentIndex& to, const MlpWeights& weights) {
  return after_first(
      context, edge_sum(context, first_layer(context, x, weights), senders, from, receivers, to),
      weights);
}
Tensor sums_of(Context& context, const Tensor& messages, const SegmentIndex& to, bool mean) {
  return mean ? segment_mean(context, messages, to) : segment_sum(context, messages, to);
}

}  // namespace

Tensor mlp_composite(Context& context, const Tensor& x, const MlpWeights& weights) {
  return after_first(context, first_layer(context, x, weights), weights);
}

Tensor message_sums_composite(Context& context, const Tensor& x, const Tensor& senders,
                              const SegmentIndex& from, const Tensor& receivers,
                              const SegmentIndex& to, const MlpWeights& weights, bool mean) {
  return sums_of(context, messages(context, x, senders, from, receivers, to, weights), to, mean);
}

MessageUpdate message_update_composite(Context& context, const Tensor& x, const Tensor& senders,
                                       const SegmentIndex& from, const Tensor& receivers,
                                       const SegmentIndex& to, const MlpWeights& weights,
                                       bool mean) {
  const Tensor each = messages(context, x, senders, from, receivers, to, weights);
  return {sums_of(context, each, to, mean), add(context, x, each)};
}

Tensor mlp_update_composite(Context& context, const Tensor& x, const Tensor& added,
                            const Tensor& base, const MlpWeights& weights) {
  return add(context, base,
             after_first(context, add(context, added, first_layer(context, x, weights)), weights));
}

}  // namespace py4cast
