#include "kernels/products/attention.h"

#include "kernels/ops/arithmetic.h"
#include "kernels/ops/softmax.h"
#include "kernels/ops/views.h"
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

}  // namespace

Tensor attention(Context& context, const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                 double scale) {
  return attention_composite(context, q, k, v, heads, scale);
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
