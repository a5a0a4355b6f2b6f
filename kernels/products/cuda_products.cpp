#if PY4CAST_CUDA
#include "kernels/products/cuda_products.h"

#include <algorithm>

#include "engine/parameters.h"
#include "kernels/common/dispatch.h"
#include "kernels/products/convolution_cuda.h"
#include "kernels/products/convolution_kernels.h"
#include "kernels/products/cuda_libraries.h"
#include "kernels/products/linear_kernels.h"

namespace py4cast {
namespace {

// ---- Own kernels ----

template <typename... Types, typename F>
void on_gpu(const Context& context, DataType type, F&& f) {
  if (!context.dry()) with_type<Types...>(context, "product", type, Cuda{context.stream}, f);
}

bool uses_tf32(const Context& context, DataType type) {
  return context.precision == Precision::tf32 && type == DataType::f32;
}

// Between f32 and bf16.
void convert(const Context& context, const Tensor& from, const Tensor& to) {
  if (context.dry()) return;
  const Cuda device{context.stream};
  if (to.type() == DataType::bf16)
    Convert<float, bfloat16>{view<const float>(from), view<bfloat16>(to)}.run(device);
  else
    Convert<bfloat16, float>{view<const bfloat16>(from), view<float>(to)}.run(device);
}

// A tensor in the type of the products; itself if it has that type.
Tensor in_type(Context& context, const Tensor& x, DataType type) {
  if (x.type() == type) return x;
  if (context.rounded && type == DataType::bf16)
    if (Tensor rounded = context.rounded->of(x); rounded.defined()) return rounded;
  const Tensor result = context.empty(x.shape(), type);
  convert(context, x, result);
  return result;
}

// to [count, columns, rows] = transpose of each from [rows, columns] in f32; `to` is f32 or bf16.
void transpose(const Context& context, int64_t count, int64_t rows, int64_t columns,
               const Tensor& from, const Tensor& to) {
  on_gpu<float, bfloat16>(context, to.type(),
                          running<TransposeWeights>(count, rows, columns, from, to));
}

// Weights as the products read them: rounded to `type`, and turned for a data gradient, so that
// neighbours in memory are neighbours in the result.
struct ReadWeights {
  Tensor w;
  GroupedWeights places;
};
ReadWeights read_weights(Context& context, const ConvolutionProblem& p, bool forward,
                         const Tensor& w, DataType type) {
  if (forward) return {in_type(context, w, type), forward_weights(p)};
  if (p.groups > 1 || type == DataType::f64)
    return {in_type(context, w, type), backward_weights(p)};
  const Tensor turned = context.empty(w.shape(), type);
  transpose(context, p.slabs(), p.in_channels, p.out_channels, w, turned);
  return {turned, transposed_weights(p)};
}

void own_product(Context& context, const ConvolutionProblem& p, bool forward, const Tensor& x,
                 const Tensor& w, const Tensor& bias, const Tensor& y) {
  const PixelMap map = forward ? forward_map(p) : backward_map(p);
  if (p.depthwise()) {
    on_gpu<float, double, bfloat16>(context, x.type(),
                                    running<GatheredDepthwise>(map, p.groups, x, w, bias, y));
    return;
  }
  const ReadWeights weights = read_weights(context, p, forward, w, x.type());
  on_gpu<float, double, bfloat16>(
      context, x.type(),
      running<GatheredProduct>(map, weights.places, uses_tf32(context, x.type()), x, weights.w,
                               bias, y));
}

void own_weight_gradient(Context& context, const ConvolutionProblem& p, int64_t chunks,
                         const Tensor& x, const Tensor& dy, const Tensor& dw) {
  const Tensor partial = chunks > 1 ? context.empty({chunks, dw.numel()}, dw.type()) : dw;
  const PixelMap map = forward_map(p);
  if (p.depthwise())
    on_gpu<float, double, bfloat16>(
        context, x.type(),
        running<GatheredDepthwiseWeightGradient>(map, p.groups, chunks, x, dy, partial, dw));
  else
    on_gpu<float, double, bfloat16>(
        context, x.type(),
        running<GatheredWeightGradient>(map, p.groups, p.in_channels, p.out_channels,
                                        uses_tf32(context, x.type()), chunks, x, dy, partial, dw));
}

// A product of matrices is a convolution along the rows with a kernel of one element.
ConvolutionProblem row_by_row(int64_t rows, int64_t in, int64_t out) {
  return {1, {1, 1, rows}, {1, 1, rows}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, 1, in, out};
}

// ---- Libraries ----

// The libraries, if they compute with this type.
CudaLibraries* libraries_for(const Context& context, DataType type) {
  return type == DataType::f32 || type == DataType::bf16 ? cuda_libraries(context) : nullptr;
}

bool aligned(const Tensor& tensor) {
  return !tensor.defined() || tensor.offset_bytes() % 16 == 0;
}

void* address(const Tensor& tensor) {
  return tensor.defined() ? tensor.raw() : nullptr;
}

// False: cuBLASLt has no algorithm for it. adds: to what d holds.
bool library_product(Context& context, const MatrixProduct& product, const Tensor& a,
                     const Tensor& b, const Tensor& bias, const Tensor& d, bool adds = false) {
  CudaLibraries* libraries = libraries_for(context, a.type());
  if (!libraries || product.m * product.n * product.k == 0 || !aligned(a) || !aligned(b) ||
      !aligned(bias) || !aligned(d))
    return false;
  MatrixProducts::Plan* plan = nullptr;
  {
    const std::lock_guard lock(libraries->mutex);
    plan = libraries->products.plan(product);
  }
  if (!plan) {
    libraries->note(MatrixProducts::name(product) +
                    ": our own kernel, no algorithm of cuBLASLt fits");
    return false;
  }
  libraries->note(MatrixProducts::description(*plan));
  const Tensor workspace = context.scratch(static_cast<int64_t>(MatrixProducts::workspace(*plan)));
  if (context.dry()) return true;
  const std::lock_guard lock(libraries->mutex);
  libraries->products.run(*plan, address(a), address(b), address(bias), address(d), adds,
                          address(workspace), context.stream);
  return true;
}

#if PY4CAST_CUDNN
// Where the library does not add the bias by itself.
void add_bias(const Context& context, const Tensor& bias, const Tensor& y) {
  if (!context.dry()) AddBias{view<const float>(bias), view<float>(y)}.run(Cuda{context.stream});
}

// Null: no engine of cuDNN fits.
LibraryConvolutions::Plan* planned(CudaLibraries& libraries, const LibraryConvolution& wanted) {
  const std::lock_guard lock(libraries.mutex);
  LibraryConvolutions::Plan* plan = libraries.convolutions.plan(wanted);
  if (plan) libraries.note(LibraryConvolutions::description(*plan));
  if (const std::string refusal = libraries.convolutions.refusal(wanted); !refusal.empty())
    libraries.note(LibraryConvolutions::name(wanted) + ": not supported by cuDNN: " + refusal);
  return plan;
}

// The library names output channels first; the weights of both orders have the type of the
// products, but for gradients, which are f32.
void run(Context& context, CudaLibraries& libraries, LibraryConvolutions::Plan& plan,
         const LibraryConvolution& c, const Tensor& x, const Tensor& w, const Tensor& bias,
         const Tensor& y) {
  const bool gradient = c.kind == ConvolutionKind::weight_gradient;
  const int64_t columns = c.problem.out_channels, rows = w.numel() / columns;
  const Tensor turned = context.empty({columns, rows}, gradient ? w.type() : y.type());
  const Tensor workspace =
      context.scratch(static_cast<int64_t>(LibraryConvolutions::workspace(plan)));
  if (!gradient) transpose(context, 1, rows, columns, w, turned);
  if (!context.dry()) {
    const std::lock_guard lock(libraries.mutex);
    libraries.convolutions.run(
        plan, {address(x), address(turned), address(y), address(bias), address(workspace)},
        context.stream);
  }
  if (gradient) transpose(context, 1, columns, rows, turned, w);
}

// False: own kernels must compute.
bool library_convolution(Context& context, ConvolutionKind kind, const ConvolutionProblem& p,
                         const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y) {
  CudaLibraries* libraries = libraries_for(context, y.type());
  if (!libraries || p.depthwise() || p.in_pixels() * p.out_pixels() == 0 || !aligned(x) ||
      !aligned(y) || !aligned(bias))
    return false;
  const bool forward = kind == ConvolutionKind::forward;
  LibraryConvolution wanted{kind, p, y.type(), forward && bias.defined(),
                            uses_tf32(context, y.type())};
  // A result of bf16 is rounded when the library stores it, so a bias cannot follow.
  const bool may_follow = y.type() == DataType::f32;
  // The engines of cuDNN 9.19 that store sums of bf16 in f32 give wrong numbers on an H100 where rows of
  // channels are not whole vectors (seen with 2 and 4 channels).
  const bool wrong = kind == ConvolutionKind::weight_gradient && y.type() == DataType::bf16 &&
                     (p.in_channels % 8 != 0 || p.out_channels % 8 != 0);
  LibraryConvolutions::Plan* plan = nullptr;
  if (!wrong && (wanted.bias == bias.defined() || may_follow)) plan = planned(*libraries, wanted);
  if (!plan && wanted.bias && may_follow) {
    wanted.bias = false;
    plan = planned(*libraries, wanted);
  }
  if (plan) {
    run(context, *libraries, *plan, wanted, x, w, wanted.bias ? bias : Tensor(), y);
    if (bias.defined() && !wanted.bias) add_bias(context, bias, forward ? y : x);
    return true;
  }
  wanted.bias = bias.defined();
  const std::string name = LibraryConvolutions::name(wanted);
  if (kind == ConvolutionKind::weight_gradient && y.type() == DataType::bf16) {
    // Numbers of bf16 are numbers of tf32: the same products and sums.
    wanted.pixels = DataType::f32;
    wanted.tf32 = true;
    plan = planned(*libraries, wanted);
    if (plan)
      run(context, *libraries, *plan, wanted, in_type(context, x, DataType::f32), w, {},
          in_type(context, y, DataType::f32));
  }
  if (!plan) libraries->note(name + ": our own kernel, no engine of cuDNN fits");
  return plan;
}
#else
bool library_convolution(Context&, ConvolutionKind, const ConvolutionProblem&, const Tensor&,
                         const Tensor&, const Tensor&, const Tensor&) {
  return false;
}
#endif

}  // namespace

void cuda_linear(Context& context, const Tensor& x, const Tensor& weight, bool transposed,
                 const Tensor& bias, const Tensor& y) {
  const int64_t depth = x.shape().back(), columns = y.shape().back();
  const int64_t rows = y.numel() / std::max<int64_t>(columns, 1);
  if (libraries_for(context, x.type())) {
    const Tensor w = in_type(context, weight, x.type());
    // The library takes a bias of the result's type alone.
    const DataType type = bias.defined() ? bias.type() : y.type();
    const Tensor sums = type == y.type() ? y : context.empty(y.shape(), type);
    if (library_product(context,
                        {rows, columns, depth, false, transposed, x.type(), type, bias.defined(),
                         uses_tf32(context, x.type())},
                        x, w, bias, sums)) {
      if (sums.type() != y.type()) convert(context, sums, y);
      return;
    }
  }
  const ConvolutionProblem p =
      transposed ? row_by_row(rows, columns, depth) : row_by_row(rows, depth, columns);
  own_product(context, p, !transposed, x, weight, bias, y);
}

bool cuda_linear_adds(Context& context, const Tensor& x, const Tensor& weight, bool transposed,
                      const Tensor& y) {
  const int64_t depth = x.shape().back(), columns = y.shape().back();
  return libraries_for(context, x.type()) &&
         library_product(context,
                         {y.numel() / std::max<int64_t>(columns, 1), columns, depth, false,
                          transposed, x.type(), y.type(), false, uses_tf32(context, x.type())},
                         x, in_type(context, weight, x.type()), {}, y, true);
}

void cuda_linear_weight_gradient(Context& context, const Tensor& x, const Tensor& dy,
                                 const Tensor& dweight) {
  const int64_t in = x.shape().back(), out = dy.shape().back();
  const int64_t rows = x.numel() / std::max<int64_t>(in, 1);
  if (library_product(context,
                      {in, out, rows, true, false, x.type(), dweight.type(), false,
                       uses_tf32(context, x.type())},
                      x, dy, {}, dweight))
    return;
  own_weight_gradient(context, row_by_row(rows, in, out), weight_gradient_chunks(rows, in, out), x,
                      dy, dweight);
}

void cuda_convolution(Context& context, ConvolutionKind kind, const ConvolutionProblem& p,
                      const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y) {
  if (library_convolution(context, kind, p, x, w, bias, y)) return;
  switch (kind) {
    case ConvolutionKind::forward:
      return own_product(context, p, true, x, w, bias, y);
    case ConvolutionKind::data_gradient:
      return own_product(context, p, false, y, w, bias, x);
    case ConvolutionKind::weight_gradient:
      return own_weight_gradient(
          context, p, weight_chunks(p.batch * p.out[0] * p.out[1], p.out[2], w.numel()), x, y, w);
  }
}

}  // namespace py4cast
#endif
