// Products with weights on a GPU, by the libraries and by our own kernels, against the CPU.
#if PY4CAST_CUDA
#include "kernels/products/cuda_products.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "engine/cuda.h"
#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "kernels/products/convolution.h"
#include "kernels/products/convolution_cuda.h"
#include "kernels/products/cuda_libraries.h"
#include "kernels/products/linear.h"
#include "tests/devices.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor on_device(const Tensor& x) {
  if (!x.defined()) return x;
  Tensor result(allocate_device(x.bytes(), test_device(), nullptr, Owner::other, "test"), x.type(),
                x.shape());
  copy(x, result);
  return result;
}

// Small whole numbers: products and sums of them are exact in every precision, so results are equal
// bit for bit whatever the order of summation, and any element in a wrong place shows.
Tensor whole_numbers(const Shape& shape, DataType type, uint64_t stream) {
  const Tensor x = random_tensor(shape, DataType::f64, stream, -8, 8);
  for (double& element : x.span<double>()) element = std::round(element);
  return converted(x, type);
}

// Rounded as tensor cores round operands in tf32.
Tensor tf32_rounded(const Tensor& x) {
  const Tensor result = converted(x, DataType::f32);
  for (float& element : result.span<float>())
    element = std::bit_cast<float>((std::bit_cast<uint32_t>(element) + 0x1000u) & ~0x1fffu);
  return result;
}

// A GPU with or without libraries.
struct Gpu {
  CudaStream stream{test_device()};
  LibrarySlot slot;
  Context context;
  explicit Gpu(bool libraries, Precision precision = Precision::fp32) {
    context.device = test_device();
    context.stream = stream.get();
    context.precision = precision;
    if (libraries) context.libraries = &slot;
  }
};

bool equal(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && difference(a, b) == 0;
}

// Numbers that bf16 has not, and whose sums with whole numbers f32 has: where a bias is rounded, or
// a result before its bias is added, it shows.
Tensor fractions(const Shape& shape, DataType type, uint64_t stream) {
  const Tensor x = random_tensor(shape, DataType::f64, stream, -8, 8);
  for (double& element : x.span<double>()) element = std::round(256 * element) / 256;
  return converted(x, type);
}

struct Three {
  Tensor y, dx, dw;
};

struct Sizes {
  int64_t rows, in, out;
};
Three linear_on_cpu(const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& dy) {
  Context c;
  return {linear(c, x, w, bias), linear_data_gradient(c, dy, w), linear_weight_gradient(c, x, dy)};
}
Three linear_on_gpu(Context& c, const Tensor& x, const Tensor& w, const Tensor& bias,
                    const Tensor& dy) {
  const Tensor xd = on_device(x), wd = on_device(w), bd = on_device(bias), dyd = on_device(dy);
  const Tensor y = c.empty(dy.shape(), dy.type()), dx = c.empty(x.shape(), x.type()),
               dw = c.empty(w.shape(), w.type());
  cuda_linear(c, xd, wd, false, bd, y);
  cuda_linear(c, dyd, wd, true, {}, dx);
  cuda_linear_weight_gradient(c, xd, dyd, dw);
  return {on_host(y), on_host(dx), on_host(dw)};
}

// Types and precisions with kernels of their own.
const std::pair<DataType, Precision> ways[] = {{DataType::f32, Precision::fp32},
                                               {DataType::f32, Precision::tf32},
                                               {DataType::f64, Precision::fp32},
                                               {DataType::bf16, Precision::bf16}};

// Every kind of tile and remainder; whole 16-byte parts and single elements; several chunks of
// rows.
const Sizes linear_sizes[] = {{5, 3, 2},    {64, 64, 64}, {65, 40, 72}, {300, 16, 8},
                              {97, 33, 67}, {1, 16, 129}, {700, 8, 8}};

TEST(CudaProducts, LinearOfWholeNumbersIsExact) {
  for (const auto& [rows, in, out] : linear_sizes)
    for (const auto& [type, precision] : ways)
      for (bool libraries : {false, true}) {
        SCOPED_TRACE(::testing::Message()
                     << rows << " x " << in << " x " << out << " " << name_of(type)
                     << (precision == Precision::tf32 ? " tf32" : "")
                     << (libraries ? " libraries" : ""));
        const DataType wide = type == DataType::f64 ? type : DataType::f32;
        const Tensor x = whole_numbers({rows, in}, type, 1), w = whole_numbers({in, out}, wide, 2),
                     bias = fractions({out}, wide, 3), dy = whole_numbers({rows, out}, type, 4);
        const Three expected = linear_on_cpu(converted(x, wide), w, bias, converted(dy, wide));
        Gpu gpu(libraries, precision);
        const Three found = linear_on_gpu(gpu.context, x, w, bias, dy);
        EXPECT_TRUE(equal(found.y, converted(expected.y, type)));
        EXPECT_TRUE(equal(found.dx, converted(expected.dx, type)));
        EXPECT_TRUE(equal(found.dw, expected.dw));
      }
}

TEST(CudaProducts, Tf32RoundsTheOperands) {
  const Tensor x = random_tensor({130, 48}, DataType::f32, 1),
               w = random_tensor({48, 70}, DataType::f32, 2),
               bias = random_tensor({70}, DataType::f32, 3),
               dy = random_tensor({130, 70}, DataType::f32, 4);
  const Three exact = linear_on_cpu(x, w, bias, dy);
  const Three rounded = linear_on_cpu(tf32_rounded(x), tf32_rounded(w), bias, tf32_rounded(dy));
  for (bool libraries : {false, true}) {
    Gpu gpu(libraries, Precision::tf32), plain(libraries);
    const Three found = linear_on_gpu(gpu.context, x, w, bias, dy);
    EXPECT_LT(difference(found.y, exact.y), std::ldexp(1, libraries && !emulated_gpu() ? -8 : -10));
    if (!libraries || emulated_gpu()) {
      EXPECT_GT(difference(found.y, exact.y), 1e-5);  // a library may do better
    }
    // Libraries may cut operands instead of rounding them.
    const double bound = libraries && !emulated_gpu() ? std::ldexp(1, -8) : 2e-6;
    EXPECT_LT(difference(found.y, rounded.y), bound);
    EXPECT_LT(difference(found.dx, rounded.dx), bound);
    EXPECT_LT(difference(found.dw, rounded.dw), bound);
    const Three full = linear_on_gpu(plain.context, x, w, bias, dy);
    EXPECT_LT(difference(full.y, exact.y), 2e-6);
    EXPECT_LT(difference(full.dx, exact.dx), 2e-6);
    EXPECT_LT(difference(full.dw, exact.dw), 2e-6);
  }
}

TEST(CudaProducts, NoRows) {
  const Tensor x = host_tensor({0, 3}, DataType::f32), w = whole_numbers({3, 2}, DataType::f32, 1),
               dy = host_tensor({0, 2}, DataType::f32);
  for (bool libraries : {false, true}) {
    Gpu gpu(libraries);
    const Three found = linear_on_gpu(gpu.context, x, w, {}, dy);
    EXPECT_EQ(found.y.numel(), 0);
    for (float element : found.dw.span<float>()) EXPECT_EQ(element, 0);
  }
}

struct ProductCase {
  Shape x, weight;
  ConvolutionGeometry geometry = {};
};
const ProductCase convolution_cases[] = {
    {{2, 7, 3}, {3, 3, 5}, {.padding = {1}}},
    {{1, 9, 11, 16}, {3, 3, 16, 72}, {.padding = {1, 1}}},
    {{1, 8, 9, 8}, {3, 2, 8, 8}, {.stride = {2, 3}, .padding = {1, 0}}},
    {{1, 6, 7, 2}, {3, 3, 2, 2}, {.padding = {2, 2}, .dilation = {2, 2}}},
    {{1, 3, 5, 16}, {3, 3, 8, 32}, {.padding = {1, 1}, .groups = 2}},
    {{1, 4, 5, 3}, {3, 3, 1, 3}, {.padding = {1, 1}, .groups = 3}},
    {{2, 5, 7, 16},
     {2, 3, 1, 16},
     {.stride = {2, 2}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 16}},
    {{1, 3, 4, 3, 2}, {2, 3, 2, 2, 2}, {.padding = {1, 1, 0}}},
    {{2, 40, 60, 5}, {1, 1, 5, 3}},
    {{1, 70, 66, 4}, {3, 3, 1, 4}, {.padding = {1, 1}, .groups = 4}}};

Shape axes(const Shape& given, int spatial, int64_t otherwise) {
  Shape result{1, 1, 1};
  for (int axis = 0; axis < 3; ++axis) result[axis] = otherwise;
  for (int axis = 0; axis < given.rank(); ++axis) result[3 - spatial + axis] = given[axis];
  return result;
}

ConvolutionProblem problem_of(const ProductCase& c, const Shape& y) {
  const int spatial = c.x.rank() - 2;
  ConvolutionProblem p{c.x[0],    {1, 1, 1}, {1, 1, 1},         {1, 1, 1},  {1, 1, 1},
                       {0, 0, 0}, {1, 1, 1}, c.geometry.groups, c.x.back(), y.back()};
  const Shape stride = axes(c.geometry.stride, spatial, 1),
              padding = axes(c.geometry.padding, spatial, 0),
              dilation = axes(c.geometry.dilation, spatial, 1);
  for (int axis = 0; axis < 3; ++axis) {
    p.stride[axis] = stride[axis];
    p.padding[axis] = padding[axis];
    p.dilation[axis] = dilation[axis];
    if (const int from = axis - (3 - spatial); from >= 0) {
      p.in[axis] = c.x[from + 1];
      p.out[axis] = y[from + 1];
      p.kernel[axis] = c.weight[from];
    }
  }
  return p;
}

Three convolution_on_cpu(const ProductCase& c, const Tensor& x, const Tensor& w, const Tensor& bias,
                         const Tensor& dy) {
  Context context;
  return {convolution(context, x, w, bias, c.geometry),
          convolution_data_gradient(context, dy, w, c.x, c.geometry),
          convolution_weight_gradient(context, x, dy, c.weight, c.geometry)};
}
Three convolution_on_gpu(Context& context, const ProductCase& c, const Tensor& x, const Tensor& w,
                         const Tensor& bias, const Tensor& dy) {
  const ConvolutionProblem p = problem_of(c, dy.shape());
  const Tensor xd = on_device(x), wd = on_device(w), bd = on_device(bias), dyd = on_device(dy);
  const Tensor y = context.empty(dy.shape(), dy.type()), dx = context.empty(x.shape(), x.type()),
               dw = context.empty(w.shape(), w.type());
  cuda_convolution(context, ConvolutionKind::forward, p, xd, wd, bd, y);
  cuda_convolution(context, ConvolutionKind::data_gradient, p, dx, wd, {}, dyd);
  cuda_convolution(context, ConvolutionKind::weight_gradient, p, xd, dw, {}, dyd);
  return {on_host(y), on_host(dx), on_host(dw)};
}

Tensor spread_on_gpu(Context& context, const ProductCase& c, const Tensor& w, const Tensor& bias,
                     const Tensor& dy) {
  const Tensor dx = context.empty(c.x, dy.type());
  cuda_convolution(context, ConvolutionKind::data_gradient, problem_of(c, dy.shape()), dx,
                   on_device(w), on_device(bias), on_device(dy));
  return on_host(dx);
}
Shape ones_but_last(const Tensor& channels, const Shape& like) {
  Shape result = like;
  for (int axis = 0; axis + 1 < like.rank(); ++axis) result[axis] = 1;
  return result.with(-1, channels.numel());
}

TEST(CudaProducts, ConvolutionOfWholeNumbersIsExact) {
  for (const ProductCase& c : convolution_cases) {
    Context cpu;
    const Shape y = convolution_shape(cpu, c.x, c.weight, c.geometry);
    for (const auto& [type, precision] : ways)
      for (bool libraries : {false, true}) {
        SCOPED_TRACE(::testing::Message() << c.x << " " << c.weight << " " << name_of(type)
                                          << (precision == Precision::tf32 ? " tf32" : "")
                                          << (libraries ? " libraries" : ""));
        const DataType wide = type == DataType::f64 ? type : DataType::f32;
        const Tensor x = whole_numbers(c.x, type, 1), w = whole_numbers(c.weight, wide, 2),
                     bias = fractions({y.back()}, wide, 3), dy = whole_numbers(y, type, 4);
        const Three expected =
            convolution_on_cpu(c, converted(x, wide), w, bias, converted(dy, wide));
        Gpu gpu(libraries, precision);
        const Three found = convolution_on_gpu(gpu.context, c, x, w, bias, dy);
        EXPECT_TRUE(equal(found.y, converted(expected.y, type)));
        EXPECT_TRUE(equal(found.dx, converted(expected.dx, type)));
        EXPECT_TRUE(equal(found.dw, expected.dw));
        // A transposed convolution: the data gradient with a bias.
        const Tensor other = fractions({c.x.back()}, wide, 5);
        Context plain;
        const Tensor up =
            add(plain, expected.dx,
                broadcast(plain, reshape(plain, other, ones_but_last(other, c.x)), c.x));
        EXPECT_TRUE(equal(spread_on_gpu(gpu.context, c, w, other, dy), converted(up, type)));
      }
  }
}

// A slab that was rounded once gives the bits of weights that are rounded at each use, also for parts of them;
// tensors that do not lie in it are rounded as before.
TEST(CudaProducts, WeightsMayBeRoundedBefore) {
  Gpu gpu(true, Precision::bf16);
  ParameterSlab slab;
  const Parameter& first = slab.add({.name = "first", .file_shape = {24, 16}});
  const Parameter& second = slab.add({.name = "second", .file_shape = {8, 5}});
  slab.allocate(test_device(), nullptr, true);
  slab.initialise(RandomKey{7});
  const RoundedValues rounded(slab, nullptr);
  cast_into(gpu.context, rounded.values(), rounded.rounded());
  const Tensor x = on_device(converted(random_tensor({6, 8}, DataType::f64, 1), DataType::bf16)),
               part = first.value().viewed({8, 16}, {16, 1}, 16 * 16),
               other =
                   on_device(converted(random_tensor({8, 16}, DataType::f64, 2), DataType::f32));
  EXPECT_TRUE(rounded.of(part).defined());
  EXPECT_FALSE(rounded.of(other).defined());
  EXPECT_FALSE(rounded.of(first.value().viewed({16, 24}, {1, 16}, 0)).defined());
  for (const Tensor& weight : {part, second.value(), other}) {
    Context with = gpu.context;
    with.rounded = &rounded;
    EXPECT_TRUE(equal(on_host(linear(with, x, weight)), on_host(linear(gpu.context, x, weight))));
    const Tensor dy = linear(gpu.context, x, weight);
    EXPECT_TRUE(equal(on_host(linear_data_gradient(with, dy, weight)),
                      on_host(linear_data_gradient(gpu.context, dy, weight))));
  }
}

// x goes into two products and into a sum: in a backward pass the second and third gradient are added to
// the first.
TEST(CudaProducts, GradientsOfOneInputAddUp) {
  for (const auto& [type, precision] : ways) {
    if (type == DataType::f64) continue;
    SCOPED_TRACE(::testing::Message() << name_of(type));
    Gpu gpu(true, precision);
    Tape tape(add);
    const Tensor x = tape.watch(on_device(whole_numbers({6, 8}, type, 1))),
                 v = on_device(whole_numbers({8, 8}, DataType::f32, 2)),
                 w = on_device(whole_numbers({8, 16}, DataType::f32, 3)),
                 da = on_device(whole_numbers({6, 8}, type, 4)),
                 db = on_device(whole_numbers({6, 16}, type, 5));
    gpu.context.tape = &tape;
    const Tensor h = scale(gpu.context, x, 1);
    const std::vector<Tensor> y{add(gpu.context, linear(gpu.context, h, v), h),
                                linear(gpu.context, h, w)};
    const Tensor dx = tape.backward(gpu.context, y, {da, db}, {}, {&x, 1})[0];
    Context cpu;
    const auto wide = [](const Tensor& t) { return converted(on_host(t), DataType::f64); };
    const Tensor expected = add(cpu, wide(da),
                                add(cpu, linear_data_gradient(cpu, wide(da), wide(v)),
                                    linear_data_gradient(cpu, wide(db), wide(w))));
    EXPECT_TRUE(equal(on_host(dx), converted(expected, type)));
  }
}

#if PY4CAST_CUDA_EMULATED
// The stand-ins propose engines that must not be used first; what those compute is wrong.
std::vector<std::string> choices_at(DataType type, Precision precision) {
  const ProductCase c{{1, 6, 7, 3}, {3, 3, 3, 5}, {.padding = {1, 1}}};
  Gpu gpu(true, precision);
  const DataType wide = DataType::f32;
  const Tensor dy = whole_numbers({1, 6, 7, 5}, type, 4);
  convolution_on_gpu(gpu.context, c, whole_numbers(c.x, type, 1), whole_numbers(c.weight, wide, 2),
                     whole_numbers({5}, wide, 3), dy);
  linear_on_gpu(gpu.context, whole_numbers({700, 4}, type, 1), whole_numbers({4, 6}, wide, 2), {},
                whole_numbers({700, 6}, type, 3));
  return gpu.slot.libraries->choices();
}

TEST(CudaProducts, TellsWhichEnginesCompute) {
  const std::vector<std::string> products = {
      "product 700 x 4 x 6 of f32: cuBLASLt algorithm 20, tile 1, 1 parts, workspace 0 bytes",
      "product 700 x 6 x 4 of f32 b^T: cuBLASLt algorithm 20, tile 1, 1 parts, workspace 0 bytes",
      "product 4 x 700 x 6 of f32 a^T: cuBLASLt algorithm 20, tile 1, 4 parts, workspace 384 "
      "bytes"};
#if PY4CAST_CUDNN
  const std::vector<std::string> exact = {
      "convolution [1, 6, 7, 3] x [3, 3, 3, 5] of f32 with bias: cuDNN engine 1, workspace 0 bytes",
      "data gradient [1, 6, 7, 3] x [3, 3, 3, 5] of f32: cuDNN engine 1, workspace 0 bytes",
      "weight gradient [1, 6, 7, 3] x [3, 3, 3, 5] of f32: cuDNN engine 1, workspace 0 bytes"};
#else
  const std::vector<std::string> exact;
#endif
  std::vector<std::string> expected = exact;
  expected.insert(expected.end(), products.begin(), products.end());
  EXPECT_EQ(choices_at(DataType::f32, Precision::fp32), expected);
#if PY4CAST_CUDNN
  EXPECT_EQ(choices_at(DataType::f32, Precision::tf32)[0],
            "convolution [1, 6, 7, 3] x [3, 3, 3, 5] of tf32 with bias: cuDNN engine 15, workspace "
            "60 bytes");
  // Few channels: no engine stores sums of bf16 in f32, so the operands are widened.
  const std::vector<std::string> half = choices_at(DataType::bf16, Precision::bf16);
  EXPECT_EQ(
      half[1],
      "data gradient [1, 6, 7, 3] x [3, 3, 3, 5] of bf16: cuDNN engine 15, workspace 60 bytes");
  EXPECT_EQ(half[2],
            "weight gradient [1, 6, 7, 3] x [3, 3, 3, 5] of tf32: cuDNN engine 15, workspace 60 "
            "bytes");
  EXPECT_EQ(
      MatrixProducts::name({2, 3, 4, false, true, DataType::bf16, DataType::f32, true, false}),
      "product 2 x 4 x 3 of bf16 b^T with bias to f32");
#endif
}

#if PY4CAST_CUDNN
TEST(CudaProducts, TheSameConvolutionIsRefusedInTheSameWay) {
  LibraryConvolutions library;
  const auto rows = [](int64_t in, int64_t out) {
    const ConvolutionProblem p{1,         {1, 1, in}, {1, 1, out}, {1, 1, 1}, {1, 1, 1},
                               {0, 0, 0}, {1, 1, 1},  1,           4,         4};
    return LibraryConvolution{ConvolutionKind::forward, p, DataType::f32, true, false};
  };
  const int64_t many = int64_t{1} << 30;
  for (int request = 0; request < 2; ++request) {
    EXPECT_THROW(library.plan(rows(8, 7)), Error);
    EXPECT_EQ(library.refusal(rows(8, 7)), "");
    EXPECT_EQ(library.plan(rows(many, many)), nullptr);
    EXPECT_EQ(library.refusal(rows(many, many)),
              "CUDNN_STATUS_NOT_SUPPORTED (a tensor of 2^31 elements or more)");
    EXPECT_NE(library.plan(rows(8, 8)), nullptr);
  }
}
#endif
#endif

TEST(CudaProducts, ABiasThatALibraryLeavesOutIsAdded) {
  for (int64_t channels : {5, 8}) {
    const Tensor y = whole_numbers({3, 7, channels}, DataType::f32, 1),
                 bias = whole_numbers({channels}, DataType::f32, 2);
    const Tensor there = on_device(y), terms = on_device(bias);
    const Gpu gpu(false);
    AddBias{{terms.data<float>(), channels}, {there.data<float>(), there.numel()}}.run(
        Cuda{gpu.context.stream});
    const Tensor found = on_host(there);
    for (int64_t i = 0; i < y.numel(); ++i)
      ASSERT_EQ(found.data<float>()[i], y.data<float>()[i] + bias.data<float>()[i % channels]);
  }
}

// What the libraries ask for in the dry run is what they get in the step.
TEST(CudaProducts, WorkspacesArePlanned) {
  const Tensor x = on_device(random_tensor({700, 4}, DataType::f32, 1)),
               dy = on_device(random_tensor({700, 6}, DataType::f32, 2));
  Gpu gpu(true);
  const Tensor plain = gpu.context.empty({4, 6}, DataType::f32);
  cuda_linear_weight_gradient(gpu.context, x, dy, plain);
  MemoryLedger ledger;
  for (StepArena::Mode mode : {StepArena::Mode::plan, StepArena::Mode::debug}) {
    StepArena arena(ledger, mode, 0, gpu.context.device);
    Context context = gpu.context;
    context.arena = &arena;
    for (int step = 0; step < 2; ++step)
      arena.run("step", [&] {
        const Tensor dw = context.empty({4, 6}, DataType::f32);
        cuda_linear_weight_gradient(context, x, dy, dw);
        if (!context.dry()) {
          EXPECT_TRUE(equal(on_host(dw), on_host(plain)));
        }
      });
  }
}

}  // namespace
}  // namespace py4cast::testing
#endif
