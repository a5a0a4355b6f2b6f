// The ops of HalfUNet with 64 filters at 512 x 512, batch 1: rate, and share of the machine's
// ceiling (multiply-adds for convolutions, memory traffic for the others: each operand counted once
// for each time that it must be read or written).
#include "bench/measure.h"
#include "kernels/batch_norm.h"
#include "kernels/convolution.h"
#include "kernels/max_pool.h"
#include "kernels/upsample.h"

namespace py4cast {
namespace {

enum class Pass { forward, data, weight };

void convolution(benchmark::State& state, Pass pass, DataType type) {
  const int64_t side = state.range(0), in = state.range(1), out = state.range(2),
                kernel = state.range(3);
  const Tensor x = noise({1, side, side, in}, type), weight = noise({kernel, kernel, in, out}),
               dy = noise({1, side, side, out}, type);
  const ConvolutionGeometry geometry{.padding = {kernel / 2, kernel / 2}};
  const double flops = 2.0 * static_cast<double>(side * side * in * out * kernel * kernel);
  measure(state, Work::flops, flops, [&](Context& context) {
    if (pass == Pass::forward) py4cast::convolution(context, x, weight, {}, geometry);
    if (pass == Pass::data) convolution_data_gradient(context, dy, weight, x.shape(), geometry);
    if (pass == Pass::weight) convolution_weight_gradient(context, x, dy, weight.shape(), geometry);
  });
}

constexpr double map_bytes = 512.0 * 512 * 64 * 4;
const Shape full{1, 512, 512, 64}, half{1, 256, 256, 64}, sixteenth{1, 32, 32, 64};
constexpr Upsampling bilinear{Interpolation::linear, true};
const PoolGeometry pool{.window = {2, 2}};

void batch_norm_forward(benchmark::State& state) {
  const Tensor x = noise(full), gamma = noise({64}), beta = noise({64});
  measure(state, Work::bytes, 3 * map_bytes,
          [&](Context& context) { batch_norm(context, x, gamma, beta, 1e-5, Activation::relu); });
}
void batch_norm_both(benchmark::State& state) {
  const Tensor x = noise(full), gamma = noise({64}), beta = noise({64}), dy = noise(full);
  measure(state, Work::bytes, 8 * map_bytes, [&](Context& context) {
    differentiate(context, {x, gamma, beta}, dy, [](Context& c, const std::vector<Tensor>& in) {
      return batch_norm(c, in[0], in[1], in[2], 1e-5, Activation::relu).y;
    });
  });
}
void max_pool_forward(benchmark::State& state) {
  const Tensor x = noise(full);
  measure(state, Work::bytes, 1.25 * map_bytes,
          [&](Context& context) { max_pool(context, x, pool); });
}
void max_pool_backward(benchmark::State& state) {
  const Tensor x = noise(full), dy = noise(half);
  measure(state, Work::bytes, 2.25 * map_bytes,
          [&](Context& context) { max_pool_scatter(context, x, dy, pool); });
}
void upsample_forward(benchmark::State& state, const Shape& source) {
  const Tensor x = noise(source), base = noise(full);
  measure(state, Work::bytes, 2 * map_bytes + static_cast<double>(x.bytes()),
          [&](Context& context) {
            upsample(context, x, {512, 512}, bilinear, base);
          });
}
void upsample_backward(benchmark::State& state, const Shape& source) {
  const Tensor dy = noise(full);
  measure(state, Work::bytes, map_bytes + 4.0 * static_cast<double>(source.numel()),
          [&](Context& context) {
            upsample_gradient(context, dy, {source[1], source[2]}, bilinear);
          });
}

void layers(benchmark::internal::Benchmark* cases) {
  cases->ArgNames({"side", "in", "out", "kernel"})->UseRealTime()->Unit(benchmark::kMillisecond);
  cases->Args({512, 67, 64, 3});
  for (const int64_t side : {512, 256, 128, 64, 32}) cases->Args({side, 64, 64, 3});
  cases->Args({512, 64, 21, 1});
}
BENCHMARK_CAPTURE(convolution, forward, Pass::forward, DataType::f32)->Apply(layers);
BENCHMARK_CAPTURE(convolution, data_gradient, Pass::data, DataType::f32)->Apply(layers);
BENCHMARK_CAPTURE(convolution, weight_gradient, Pass::weight, DataType::f32)->Apply(layers);
BENCHMARK_CAPTURE(convolution, forward_bf16, Pass::forward, DataType::bf16)->Apply(layers);
BENCHMARK_CAPTURE(convolution, data_gradient_bf16, Pass::data, DataType::bf16)->Apply(layers);
BENCHMARK_CAPTURE(convolution, weight_gradient_bf16, Pass::weight, DataType::bf16)->Apply(layers);

void wall_clock(benchmark::internal::Benchmark* cases) {
  cases->UseRealTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK(batch_norm_forward)->Apply(wall_clock);
BENCHMARK(batch_norm_both)->Apply(wall_clock);
BENCHMARK(max_pool_forward)->Apply(wall_clock);
BENCHMARK(max_pool_backward)->Apply(wall_clock);
BENCHMARK_CAPTURE(upsample_forward, by_2, half)->Apply(wall_clock);
BENCHMARK_CAPTURE(upsample_forward, by_16, sixteenth)->Apply(wall_clock);
BENCHMARK_CAPTURE(upsample_backward, by_2, half)->Apply(wall_clock);
BENCHMARK_CAPTURE(upsample_backward, by_16, sixteenth)->Apply(wall_clock);

}  // namespace
}  // namespace py4cast
