// The ops of HalfUNet with 64 filters, batch 1: rate, and share of the machine's ceiling (products
// for convolutions, memory traffic for the others).
#include "bench/machine.h"
#include "kernels/ops/batch_norm.h"
#include "kernels/ops/max_pool.h"
#include "kernels/ops/upsample.h"
#include "kernels/products/convolution.h"

namespace py4cast {
namespace {

constexpr int64_t filters = 64;
constexpr Upsampling bilinear{Interpolation::linear, true};
const PoolGeometry pool{.window = {2, 2}};

struct Layer {
  int64_t side, in, out, kernel;
};
enum class Pass { forward, data_gradient, weight_gradient };

void convolution_case(benchmark::State& state, Machine& machine, const Layer& layer, Pass pass,
                      Precision precision) {
  const auto [side, in, out, kernel] = layer;
  const DataType type = type_of(precision);
  const Tensor x = machine.noise({1, side, side, in}, type),
               weight = machine.noise({kernel, kernel, in, out}),
               dy = machine.noise({1, side, side, out}, type);
  const ConvolutionGeometry geometry{.padding = {kernel / 2, kernel / 2}};
  machine.measure(state, Bound::arithmetic, precision, [&](Context& context) {
    if (pass == Pass::forward) convolution(context, x, weight, {}, geometry);
    if (pass == Pass::data_gradient)
      convolution_data_gradient(context, dy, weight, x.shape(), geometry);
    if (pass == Pass::weight_gradient)
      convolution_weight_gradient(context, x, dy, weight.shape(), geometry);
  });
}

// The other ops read and write maps [1, side, side, 64], some of a coarser grid.
class Maps {
 public:
  Maps(benchmark::State& state, Machine& machine, Precision precision)
      : state_(state), machine_(machine), precision_(precision) {}

  Tensor map(int64_t coarser = 1) const {
    const int64_t side = machine_.side() / coarser;
    return machine_.noise({1, side, side, filters}, type_of(precision_));
  }
  // maps: how many full maps are read or written, where it is not each operand once.
  void measure(const std::function<void(Context&)>& op, double maps = 0) const {
    const double bytes = static_cast<double>(machine_.side() * machine_.side() * filters) *
                         static_cast<double>(size_of(type_of(precision_)));
    machine_.measure(state_, Bound::memory, precision_, op, maps * bytes);
  }

  void batch_norm_forward() const {
    const Tensor x = map(), gamma = machine_.noise({filters}), beta = machine_.noise({filters});
    measure([&](Context& context) { batch_norm(context, x, gamma, beta, 1e-5, Activation::relu); },
            3);
  }
  void batch_norm_both() const {
    const Tensor x = map(), dy = map(), gamma = machine_.noise({filters}),
                 beta = machine_.noise({filters});
    measure(
        [&](Context& context) {
          differentiate(context, {x, gamma, beta}, dy,
                        [](Context& c, const std::vector<Tensor>& in) {
                          return batch_norm(c, in[0], in[1], in[2], 1e-5, Activation::relu).y;
                        });
        },
        8);
  }
  void max_pool_forward() const {
    const Tensor x = map();
    measure([&](Context& context) { max_pool(context, x, pool); });
  }
  void max_pool_backward() const {
    const Tensor x = map(), dy = map(2);
    measure([&](Context& context) { max_pool_scatter(context, x, dy, pool); });
  }
  void upsample_forward(int64_t factor) const {
    const Tensor x = map(factor), base = map();
    measure([&](Context& context) {
      upsample(context, x, {machine_.side(), machine_.side()}, bilinear, base);
    });
  }
  void upsample_backward(int64_t factor) const {
    const Tensor dy = map();
    const int64_t side = machine_.side() / factor;
    measure([&](Context& context) { upsample_gradient(context, dy, {side, side}, bilinear); });
  }

 private:
  benchmark::State& state_;
  Machine& machine_;
  Precision precision_;
};

void add_maps(Machine& machine, const std::string& name, Precision precision,
              const std::function<void(const Maps&)>& run) {
  add_case(name + "/" + std::string(name_of(precision)),
           [&machine, precision, run](benchmark::State& state) {
             run(Maps(state, machine, precision));
           });
}

}  // namespace

void add_convolutions(Machine& machine) {
  std::vector<Layer> layers{{machine.side(), 67, filters, 3}};
  for (int64_t coarser = 1; coarser <= 16; coarser *= 2)
    layers.push_back({machine.side() / coarser, filters, filters, 3});
  layers.push_back({machine.side(), filters, 21, 1});
  for (const auto& [pass, name] : {std::pair{Pass::forward, "forward"},
                                   {Pass::data_gradient, "data_gradient"},
                                   {Pass::weight_gradient, "weight_gradient"}})
    for (const Precision precision : machine.precisions())
      for (const Layer& layer : layers)
        add_case("convolution/" + std::string(name) + "/" + std::string(name_of(precision)) + "/" +
                     std::to_string(layer.side) + "x" + std::to_string(layer.in) + "to" +
                     std::to_string(layer.out) + "k" + std::to_string(layer.kernel),
                 [&machine, layer, precision, pass = pass](benchmark::State& state) {
                   convolution_case(state, machine, layer, pass, precision);
                 });
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    add_maps(machine, "batch_norm/forward", precision, &Maps::batch_norm_forward);
    add_maps(machine, "batch_norm/both", precision, &Maps::batch_norm_both);
    add_maps(machine, "max_pool/forward", precision, &Maps::max_pool_forward);
    add_maps(machine, "max_pool/backward", precision, &Maps::max_pool_backward);
    for (const int64_t factor : {2, 16}) {
      const std::string by = "/by_" + std::to_string(factor);
      add_maps(machine, "upsample/forward" + by, precision,
               [factor](const Maps& maps) { maps.upsample_forward(factor); });
      add_maps(machine, "upsample/backward" + by, precision,
               [factor](const Maps& maps) { maps.upsample_backward(factor); });
    }
  }
}

}  // namespace py4cast
