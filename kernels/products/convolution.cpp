#include "kernels/products/convolution.h"

#include <algorithm>

#include "kernels/common/dispatch.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "kernels/products/convolution_kernels.h"
#include "kernels/products/cuda_products.h"
#include "kernels/products/winograd.h"

namespace py4cast {
namespace {

int64_t at(const Shape& numbers, int axis, int64_t otherwise) {
  return numbers.rank() ? numbers[axis] : otherwise;
}

using Problem = ConvolutionProblem;

Problem problem(const Shape& x, const Shape& weight, const Shape& y,
                const ConvolutionGeometry& geometry) {
  Problem p{x[0],      {1, 1, 1}, {1, 1, 1},       {1, 1, 1}, {1, 1, 1},
            {0, 0, 0}, {1, 1, 1}, geometry.groups, x.back(),  y.back()};
  const int spatial = x.rank() - 2;
  for (int axis = 0; axis < spatial; ++axis) {
    const int to = 3 - spatial + axis;
    p.in[to] = x[axis + 1];
    p.out[to] = y[axis + 1];
    p.kernel[to] = weight[axis];
    p.stride[to] = at(geometry.stride, axis, 1);
    p.padding[to] = at(geometry.padding, axis, 0);
    p.dilation[to] = at(geometry.dilation, axis, 1);
  }
  return p;
}

Correlation forward(const Problem& p, std::vector<Tap>& taps) {
  Correlation c{};
  c.batch = p.batch;
  c.groups = p.groups;
  c.in_channels = p.in_channels;
  c.out_channels = p.out_channels;
  for (int axis = 0; axis < 3; ++axis) {
    c.in[axis] = p.in[axis];
    c.out[axis] = c.out_size[axis] = p.out[axis];
    c.in_step[axis] = p.stride[axis];
    c.out_step[axis] = 1;
  }
  taps.clear();
  for (int64_t slab = 0; slab < p.slabs(); ++slab) {
    const int64_t k[] = {slab / p.kernel[2] / p.kernel[1], slab / p.kernel[2] % p.kernel[1],
                         slab % p.kernel[2]};
    Tap tap{{}, slab};
    for (int axis = 0; axis < 3; ++axis)
      tap.offset[axis] = k[axis] * p.dilation[axis] - p.padding[axis];
    taps.push_back(tap);
  }
  c.taps = {taps.data(), static_cast<int64_t>(taps.size())};
  return c;
}

// The data gradient at the places q = phase (mod stride): those taps k with
// q + padding - k dilation = p stride reach them, from p = (q - phase) / stride + offset. Offsets
// rise, as in the forward pass, so that memory is read in order; packed slabs are counted from the
// last.
Correlation backward(const Problem& p, const int64_t (&phase)[3], std::vector<Tap>& taps) {
  std::vector<Tap> all;
  Correlation c = forward(p, all);
  std::swap(c.in_channels, c.out_channels);
  taps.clear();
  for (auto tap_at = all.rbegin(); tap_at != all.rend(); ++tap_at) {
    const Tap& tap = *tap_at;
    Tap back{{}, p.depthwise() ? tap.slab : p.slabs() - 1 - tap.slab};
    bool reaches = true;
    for (int axis = 0; axis < 3; ++axis) {
      const int64_t shift = phase[axis] - tap.offset[axis];
      reaches &= shift % p.stride[axis] == 0;
      back.offset[axis] = shift / p.stride[axis];
    }
    if (reaches) taps.push_back(back);
  }
  for (int axis = 0; axis < 3; ++axis) {
    c.in[axis] = p.out[axis];
    c.out_size[axis] = p.in[axis];
    c.out[axis] = (p.in[axis] - phase[axis] + p.stride[axis] - 1) / p.stride[axis];
    c.in_step[axis] = 1;
    c.out_step[axis] = p.stride[axis];
    c.out_first[axis] = phase[axis];
  }
  c.taps = {taps.data(), static_cast<int64_t>(taps.size())};
  return c;
}

PackSizes pack_sizes(const Problem& p, bool transposed) {
  const int64_t in = p.in_channels / p.groups, out = p.out_channels / p.groups;
  return {p.slabs(), p.groups, transposed ? out : in, transposed ? in : out, transposed};
}

void check_types(const Context& context, const char* op, const char* a_name, const Tensor& a,
                 const char* b_name, const Tensor& b) {
  if (a.type() != b.type())
    throw shape_error(context, op, ": ", a_name, " is ", name_of(a.type()), " but ", b_name, " is ",
                      name_of(b.type()));
}

// Weights and biases are of the type that sums are made in.
void check_parameter(const Context& context, const char* op, const char* x_name, const Tensor& x,
                     const char* name, const Tensor& parameter) {
  if (parameter.type() != compute_type(x.type()))
    throw shape_error(context, op, ": ", x_name, " is ", name_of(x.type()), " but ", name, " is ",
                      name_of(parameter.type()));
}

void check_shape(const Context& context, const char* op, const char* name, const Shape& found,
                 const Shape& expected) {
  if (!(found == expected))
    throw shape_error(context, op, ": ", name, " is ", found, " but the convolution gives ",
                      expected);
}

// Weights rounded to the type of x, in the kernels' order (that of the tensor for depthwise ones).
Tensor packed_weights(Context& context, const Problem& p, bool transposed, const Tensor& weight,
                      const Tensor& bias, DataType x_type) {
  if (p.depthwise()) {
    Context plain = context.without_tape();
    return cast(plain, cast(plain, weight.detached(), x_type), weight.type());
  }
  const PackSizes sizes = pack_sizes(p, transposed);
  Tensor packed = context.empty({packed_size(sizes)}, weight.type());
  on_cpu_for_products<float, double, bfloat16>(context, "convolution", x_type,
                                               running<PackWeights>(sizes, weight, bias, packed));
  return packed;
}

void correlate(Context& context, const Problem& p, bool transposed, const Correlation& c,
               const Tensor& x, const Tensor& packed, const Tensor& bias, const Tensor& y) {
  if (p.depthwise())
    on_cpu<float, double, bfloat16>(context, "convolution", x.type(),
                                    running<DepthwiseProduct>(c, x, packed, bias, y));
  else
    on_cpu_for_products<float, double, bfloat16>(
        context, "convolution", x.type(),
        running<Correlate>(c, pack_sizes(p, transposed), x, packed, y));
}

void multiply(Context& context, const Problem& p, const Tensor& x, const Tensor& weight,
              const Tensor& bias, const Tensor& y) {
  if (fits_winograd(context, p, x.type()))
    return winograd_product(context, p, false, x, weight, bias, y);
  std::vector<Tap> taps;
  correlate(context, p, false, forward(p, taps), x,
            packed_weights(context, p, false, weight, bias, x.type()), bias, y);
}

// The data gradient, plus a bias.
Tensor spread(Context& context, const Tensor& dy, const Tensor& weight, const Tensor& bias,
              const Shape& x, const ConvolutionGeometry& geometry) {
  Tensor dx = context.empty(x, dy.type());
  const Problem p = problem(x, weight.shape(), dy.shape(), geometry);
  if (on_cuda(context, [&](auto) {
        cuda_convolution(context, ConvolutionKind::data_gradient, p, dx, weight, bias, dy);
      }))
    return dx;
  if (fits_winograd(context, p, dy.type())) {
    winograd_product(context, p, true, dy, weight, bias, dx);
    return dx;
  }
  const Tensor packed = packed_weights(context, p, true, weight, bias, dy.type());
  std::vector<Tap> taps;
  int64_t phase[3];
  for (phase[0] = 0; phase[0] < p.stride[0] && phase[0] < p.in[0]; ++phase[0])
    for (phase[1] = 0; phase[1] < p.stride[1] && phase[1] < p.in[1]; ++phase[1])
      for (phase[2] = 0; phase[2] < p.stride[2] && phase[2] < p.in[2]; ++phase[2])
        correlate(context, p, true, backward(p, phase, taps), dy, packed, bias, dx);
  return dx;
}

// Sums over all axes but the last, in the type of a bias.
Tensor bias_gradient(Context& context, const Tensor& dy) {
  Shape ones = dy.shape();
  for (int axis = 0; axis + 1 < ones.rank(); ++axis) ones[axis] = 1;
  return reshape(context, wide_sum_to(context, dy, ones), {dy.shape().back()});
}

// All weights of a channel of `strided` meet each of its elements: of y, of its gradient, or of
// what a transposed convolution reads.
double flops(const Tensor& strided, const Shape& weight) {
  const int64_t of_channel = weight.numel() / std::max<int64_t>(weight.back(), 1);
  return 2.0 * static_cast<double>(strided.numel()) * static_cast<double>(of_channel);
}

// The end of the ops below: their attributes are the geometry in full.
Tensor recorded(Context& context, std::string_view name, double work,
                const ConvolutionGeometry& geometry, std::initializer_list<Tensor> inputs,
                Tensor result, Rule rule) {
  const int spatial = result.rank() - 2;
  const auto full = [&](const Shape& numbers, int64_t otherwise) {
    Shape all = numbers;
    for (int axis = numbers.rank(); axis < spatial; ++axis) all = all.inserted(axis, otherwise);
    return all;
  };
  return record(context,
                {name,
                 work,
                 {{"stride", full(geometry.stride, 1)},
                  {"padding", full(geometry.padding, 0)},
                  {"dilation", full(geometry.dilation, 1)},
                  {"groups", geometry.groups}}},
                inputs, std::move(result), std::move(rule));
}

void sum_over_pixels(Context& context, const Problem& p, const Tensor& x, const Tensor& dy,
                     const Tensor& dweight) {
  if (fits_winograd(context, p, x.type()))
    return winograd_weight_gradient(context, p, x, dy, dweight);
  std::vector<Tap> taps;
  const Correlation c = forward(p, taps);
  const int64_t rows = p.batch * p.out[0] * p.out[1], size = dweight.numel();
  const bool pieces = x.type() == DataType::bf16 && !p.depthwise();
  const int64_t chunks = pieces ? weight_chunks(weight_pieces(rows, p.out[2]), piece_pixels, size)
                                : weight_chunks(rows, p.out[2], size);
  const int64_t share = pieces ? padded_weights(pack_sizes(p, false)) : size;
  const Tensor partial =
      pieces || chunks > 1 ? context.empty({chunks * share}, dweight.type()) : dweight;
  if (p.depthwise())
    on_cpu<float, double, bfloat16>(context, "convolution", x.type(),
                                    running<DepthwiseWeightGradient>(c, x, dy, partial, dweight));
  else
    on_cpu_for_products<float, double, bfloat16>(
        context, "convolution", x.type(),
        running<ConvolutionWeightGradient>(c, x, dy, partial, dweight));
}

}  // namespace

Shape convolution_shape(const Context& context, const Shape& x, const Shape& weight,
                        const ConvolutionGeometry& geometry) {
  const int spatial = x.rank() - 2;
  if (spatial < 1 || spatial > 3 || weight.rank() != x.rank())
    throw shape_error(context, "convolution: x is ", x, " and weight ", weight,
                      "; they need the same rank, 3 to 5");
  for (const Shape* numbers : {&geometry.stride, &geometry.padding, &geometry.dilation})
    if (numbers->rank() != 0 && numbers->rank() != spatial)
      throw shape_error(context, "convolution: ", *numbers,
                        " does not give one number for each of ", spatial, " spatial axes (x is ",
                        x, ")");
  const int64_t groups = geometry.groups;
  if (groups < 1 || x.back() != weight[-2] * groups || weight.back() % groups != 0)
    throw shape_error(context, "convolution: x has ", x.back(), " channels, weight is ", weight,
                      " and there are ", groups, " groups");
  Shape y = x.with(-1, weight.back());
  for (int axis = 0; axis < spatial; ++axis) {
    const int64_t stride = at(geometry.stride, axis, 1), dilation = at(geometry.dilation, axis, 1);
    const int64_t reach = dilation * (weight[axis] - 1) + 1;
    const int64_t room = x[axis + 1] + 2 * at(geometry.padding, axis, 0) - reach;
    if (stride < 1 || dilation < 1 || weight[axis] < 1 || room < 0)
      throw shape_error(context, "convolution: the kernel spans ", reach, " points (stride ",
                        stride, ") but axis ", axis + 1, " of x ", x, " has ", room + reach,
                        " with its padding");
    y[axis + 1] = room / stride + 1;
  }
  return y;
}

Tensor convolution(Context& context, const Tensor& x, const Tensor& weight, const Tensor& bias,
                   const ConvolutionGeometry& geometry) {
  const Shape shape = convolution_shape(context, x.shape(), weight.shape(), geometry);
  check_parameter(context, "convolution", "x", x, "weight", weight);
  if (bias.defined()) {
    check_parameter(context, "convolution", "x", x, "bias", bias);
    check_shape(context, "convolution", "bias", bias.shape(), {weight.shape().back()});
  }
  Tensor y = context.empty(shape, x.type());
  const Problem p = problem(x.shape(), weight.shape(), shape, geometry);
  if (!on_cuda(context, [&](auto) {
        cuda_convolution(context, ConvolutionKind::forward, p, x, weight, bias, y);
      }))
    multiply(context, p, x, weight, bias, y);

  Rule rule = [=](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
    Tensor dx, dweight, dbias;
    if (needed[2]) dbias = bias_gradient(inner, dy[0]);
    if (needed[1]) dweight = convolution_weight_gradient(inner, x, dy[0], weight.shape(), geometry);
    if (needed[0]) dx = convolution_data_gradient(inner, dy[0], weight, x.shape(), geometry);
    return {dx, dweight, dbias};
  };
  const double work = flops(y, weight.shape());
  return recorded(context, "convolution", work, geometry, {x, weight, bias}, std::move(y),
                  std::move(rule));
}

Tensor convolution_data_gradient(Context& context, const Tensor& dy, const Tensor& weight,
                                 const Shape& x, const ConvolutionGeometry& geometry) {
  check_shape(context, "convolution_data_gradient", "dy", dy.shape(),
              convolution_shape(context, x, weight.shape(), geometry));
  check_parameter(context, "convolution_data_gradient", "dy", dy, "weight", weight);
  Tensor dx = spread(context, dy, weight, {}, x, geometry);

  Rule rule = [=](Context& inner, Gradients g, const Needed& needed) -> Gradients {
    return {needed[0] ? convolution(inner, g[0], weight, {}, geometry) : Tensor(),
            needed[1] ? convolution_weight_gradient(inner, g[0], dy, weight.shape(), geometry)
                      : Tensor()};
  };
  return recorded(context, "convolution_data_gradient", flops(dy, weight.shape()), geometry,
                  {dy, weight}, std::move(dx), std::move(rule));
}

Tensor convolution_weight_gradient(Context& context, const Tensor& x, const Tensor& dy,
                                   const Shape& weight, const ConvolutionGeometry& geometry) {
  check_shape(context, "convolution_weight_gradient", "dy", dy.shape(),
              convolution_shape(context, x.shape(), weight, geometry));
  check_types(context, "convolution_weight_gradient", "x", x, "dy", dy);
  Tensor dweight = context.empty(weight, compute_type(x.type()));
  const Problem p = problem(x.shape(), weight, dy.shape(), geometry);
  if (!on_cuda(context, [&](auto) {
        cuda_convolution(context, ConvolutionKind::weight_gradient, p, x, dweight, {}, dy);
      }))
    sum_over_pixels(context, p, x, dy, dweight);

  Rule rule = [=](Context& inner, Gradients g, const Needed& needed) -> Gradients {
    return {needed[0] ? convolution_data_gradient(inner, dy, g[0], x.shape(), geometry) : Tensor(),
            needed[1] ? convolution(inner, x, g[0], {}, geometry) : Tensor()};
  };
  return recorded(context, "convolution_weight_gradient", flops(dy, weight), geometry, {x, dy},
                  std::move(dweight), std::move(rule));
}

Tensor transposed_convolution(Context& context, const Tensor& x, const Tensor& weight,
                              const Tensor& bias, const ConvolutionGeometry& geometry,
                              const Shape& output_padding) {
  if (weight.rank() != x.rank() || x.rank() < 3)
    throw shape_error(context, "transposed_convolution: x is ", x.shape(), " and weight ",
                      weight.shape(), "; they need the same rank, 3 to 5");
  Shape shape = x.shape().with(-1, weight.size(-2) * geometry.groups);
  for (int axis = 0; axis + 2 < x.rank(); ++axis)
    shape[axis + 1] =
        (x.size(axis + 1) - 1) * at(geometry.stride, axis, 1) - 2 * at(geometry.padding, axis, 0) +
        at(geometry.dilation, axis, 1) * (weight.size(axis) - 1) + 1 + at(output_padding, axis, 0);
  if (!bias.defined()) return convolution_data_gradient(context, x, weight, shape, geometry);
  check_shape(context, "transposed_convolution", "x", x.shape(),
              convolution_shape(context, shape, weight.shape(), geometry));
  check_parameter(context, "transposed_convolution", "x", x, "weight", weight);
  check_parameter(context, "transposed_convolution", "x", x, "bias", bias);
  check_shape(context, "transposed_convolution", "bias", bias.shape(), {shape.back()});
  Tensor y = spread(context, x, weight, bias, shape, geometry);
  Rule rule = [=](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
    return {needed[0] ? convolution(inner, dy[0], weight, {}, geometry) : Tensor(),
            needed[1] ? convolution_weight_gradient(inner, dy[0], x, weight.shape(), geometry)
                      : Tensor(),
            needed[2] ? bias_gradient(inner, dy[0]) : Tensor()};
  };
  return recorded(context, "transposed_convolution", flops(x, weight.shape()), geometry,
                  {x, weight, bias}, std::move(y), std::move(rule));
}

}  // namespace py4cast
