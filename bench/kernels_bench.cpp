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

void convolution_case(benchmark::State& state, Pass pass, int64_t side, int64_t in, int64_t out,
                      int64_t kernel) {
  const Tensor x = noise({1, side, side, in}), weight = noise({kernel, kernel, in, out}),
               dy = noise({1, side, side, out});
  const ConvolutionGeometry geometry{.padding = {kernel / 2, kernel / 2}};
  const double flops = 2.0 * static_cast<double>(side * side * in * out * kernel * kernel);
  measure(state, Work::flops, flops, [&](Context& context) {
    if (pass == Pass::forward) convolution(context, x, weight, {}, geometry);
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

const bool registered = [] {
  const auto add_case = [](const std::string& name, auto&& f) {
    benchmark::RegisterBenchmark(name.c_str(), f)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  struct Layer {
    int64_t side, in, out, kernel;
  };
  for (const Layer& l :
       {Layer{512, 67, 64, 3}, Layer{512, 64, 64, 3}, Layer{256, 64, 64, 3}, Layer{128, 64, 64, 3},
        Layer{64, 64, 64, 3}, Layer{32, 64, 64, 3}, Layer{512, 64, 21, 1}})
    for (auto [pass, name] : {std::pair{Pass::forward, "forward"},
                              {Pass::data, "data_gradient"},
                              {Pass::weight, "weight_gradient"}})
      add_case("convolution/" + std::string(name) + "/" + std::to_string(l.side) + "x" +
                   std::to_string(l.side) + "/" + std::to_string(l.in) + "to" +
                   std::to_string(l.out) + "/k" + std::to_string(l.kernel),
               [l, pass = pass](benchmark::State& state) {
                 convolution_case(state, pass, l.side, l.in, l.out, l.kernel);
               });
  add_case("batch_norm_relu/forward", batch_norm_forward);
  add_case("batch_norm_relu/both", batch_norm_both);
  add_case("max_pool/forward", max_pool_forward);
  add_case("max_pool/backward", max_pool_backward);
  for (auto [source, name] : {std::pair{half, "2"}, {sixteenth, "16"}}) {
    add_case(std::string("upsample_add/forward/") + name,
             [s = source](benchmark::State& state) { upsample_forward(state, s); });
    add_case(std::string("upsample_add/backward/") + name,
             [s = source](benchmark::State& state) { upsample_backward(state, s); });
  }
  return true;
}();

}  // namespace
}  // namespace py4cast
