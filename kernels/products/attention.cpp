#include "kernels/products/attention.h"

#include "kernels/common/composite.h"
#include "kernels/common/dispatch.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/softmax.h"
#include "kernels/ops/views.h"
#include "kernels/products/attention_kernels.h"
#include "kernels/products/convolution.h"

namespace py4cast {
namespace {

void check_shapes(const Context& context, const Tensor& q, const Tensor& k, const Tensor& v,
                  int64_t heads) {
  if (q.rank() != 3 || k.rank() != 3 || !(k.shape() == v.shape()) || k.size(0) != q.size(0) ||
      k.size(2) != q.size(2) || k.size(1) < 1 || k.type() != q.type() || v.type() != q.type())
    throw shape_error(context, "attention: q is ", name_of(q.type()), " ", q.shape(), ", k ",
                      name_of(k.type()), " ", k.shape(), " and v ", name_of(v.type()), " ",
                      v.shape(),
                      " but they must be [batch, queries, channels] and twice [batch, keys, "
                      "channels], all of one type");
  if (heads < 1 || q.size(2) % heads)
    throw shape_error(context, "attention: ", heads, " heads do not divide the ", q.size(2),
                      " channels");
}

// How many parts the sums over queries are made of: it depends on the problem alone. They bound the
// memory, at about 4 million numbers.
int64_t chunks_of(Device device, const AttentionSizes& sizes) {
  int64_t chunks = chunk_count(device, sizes.queries);
  while (chunks > 1 && 2 * chunks * sizes.matrices() * sizes.padded_matrix() > (int64_t{1} << 22))
    chunks /= 2;
  return chunks;
}

Gradients gradients(Context& context, const AttentionSizes& sizes, double scale, const Tensor& dy,
                    const std::vector<Tensor>& qkv, const Tensor& y, const Tensor& statistics) {
  const DataType type = dy.type(), wide = compute_type(type);
  const int64_t chunks = chunks_of(context.device, sizes), matrix = sizes.padded_matrix();
  const bool on_cpu = context.device.kind == DeviceKind::cpu;
  const Tensor scratch = context.empty(
      {on_cpu ? 3 * sizes.matrices() * matrix : sizes.matrices() * sizes.queries}, wide);
  const Tensor partial = context.empty({2 * chunks * sizes.matrices() * matrix}, wide);
  Gradients result;
  for (const Tensor& x : qkv) result.push_back(context.empty(x.shape(), type));
  run_kernel<AttentionBackward>(context, "attention", type, sizes, chunks, scale, dy, qkv[0],
                                qkv[1], qkv[2], y, statistics, scratch, partial, result[0],
                                result[1], result[2]);
  return result;
}

}  // namespace

Tensor attention(Context& context, const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                 double scale) {
  check_shapes(context, q, k, v, heads);
  const AttentionSizes sizes{q.size(0), q.size(1), k.size(1), heads, q.size(2) / heads};
  if (sizes.width > attention_width) return attention_composite(context, q, k, v, heads, scale);
  const DataType type = q.type(), wide = compute_type(type);
  const bool on_cpu = context.device.kind == DeviceKind::cpu;
  const Tensor scratch =
      context.empty({on_cpu ? 2 * sizes.matrices() * sizes.padded_matrix() : 0}, wide);
  const Tensor y = context.empty(q.shape(), wide);
  const Tensor statistics = context.empty({2, sizes.batch, sizes.queries, heads}, wide);
  run_kernel<AttentionForward>(context, "attention", type, sizes, scale, q, k, v, scratch, y,
                               statistics);

  Rule rule = [=](Context& inner, Gradients dy, const Needed&) -> Gradients {
    if (inner.tape)
      return composite_gradients(
          inner,
          [&](Context& c) { return std::vector{attention_composite(c, q, k, v, heads, scale)}; },
          {q, k, v}, std::move(dy));
    return gradients(inner, sizes, scale, dy[0], {q, k, v}, y, statistics);
  };
  Context plain = context.without_tape();
  plain.observer = nullptr;
  const double flops = per_element(q, 4.0 * static_cast<double>(sizes.keys)) +
                       5.0 * static_cast<double>(sizes.matrices() * sizes.queries * sizes.keys);
  return record(context, {"attention", flops, {{"heads", heads}, {"scale", scale}}}, {q, k, v},
                cast(plain, y, type), std::move(rule));
}

// The products of a sample are convolutions with a kernel of one element in a group for each head:
// k and v are their weights.
Tensor attention_composite(Context& context, const Tensor& q, const Tensor& k, const Tensor& v,
                           int64_t heads, double scale) {
  check_shapes(context, q, k, v, heads);
  const int64_t queries = q.size(1), keys = k.size(1);
  const Shape weights{1, queries, heads * keys};
  const ConvolutionGeometry by_head{.groups = heads};
  const DataType wide = compute_type(q.type());
  std::vector<Tensor> results;
  for (int64_t b = 0; b < q.size(0); ++b) {
    const auto sample = [&](const Tensor& x) {
      return cast(context, narrow(context, x, 0, b, 1), wide);
    };
    const Tensor scores =
        convolution_data_gradient(context, sample(q), sample(k), weights, by_head);
    const Tensor by_key = reshape(context, scores, {queries, heads, keys});
    const Tensor weight = softmax(context, py4cast::scale(context, by_key, scale));
    const Tensor y =
        convolution(context, reshape(context, weight, weights), sample(v), {}, by_head);
    results.push_back(cast(context, y, q.type()));
  }
  return concat(context, results, 0);
}

}  // namespace py4cast
