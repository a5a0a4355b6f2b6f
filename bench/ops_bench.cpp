// Products, graph ops, element-wise ops, loss and optimiser at the sizes of a 512 x 512 grid: rate,
// and share of the machine's ceiling (memory traffic: each operand counted once for each time that
// it must be read or written).
#include <string>

#include "bench/measure.h"
#include "kernels/activation.h"
#include "kernels/adamw.h"
#include "kernels/arithmetic.h"
#include "kernels/autoregressive_update.h"
#include "kernels/gather.h"
#include "kernels/gradient_norm.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/loss.h"
#include "kernels/views.h"

namespace py4cast {
namespace {

constexpr int64_t side = 512, grid = side * side, mesh_side = 81, features = 21, width = 64;

void linear_case(benchmark::State& state, int pass, int64_t rows, int64_t in, int64_t out,
                 DataType type) {
  const Tensor x = noise({rows, in}, type), weight = noise({in, out}), bias = noise({out}),
               dy = noise({rows, out}, type);
  measure(state, Work::flops, 2.0 * static_cast<double>(rows * in * out), [&](Context& context) {
    if (pass == 0) linear(context, x, weight, bias);
    if (pass == 1) linear_data_gradient(context, dy, weight);
    if (pass == 2) linear_weight_gradient(context, x, dy);
  });
}

// Four mesh nodes for each grid point, as mesh -> grid has: senders are mesh nodes, receivers grid
// points.
Tensor edge_ends(bool senders) {
  Tensor index = host_tensor({grid * 4}, DataType::i32);
  for (int64_t e = 0; e < grid * 4; ++e) {
    const int64_t point = e / 4, corner = e % 4;
    const int64_t row = point / side * (mesh_side - 1) / side + corner / 2,
                  column = point % side * (mesh_side - 1) / side + corner % 2;
    index.data<int32_t>()[e] = static_cast<int32_t>(senders ? row * mesh_side + column : point);
  }
  return index;
}

void graph_case(benchmark::State& state, bool senders, bool sum) {
  const int64_t nodes = senders ? mesh_side * mesh_side : grid, edges = grid * 4;
  const SegmentIndex index(edge_ends(senders), nodes);
  const Tensor x = noise({1, sum ? edges : nodes, width});
  measure(state, Work::bytes, 4.0 * static_cast<double>((nodes + edges) * width),
          [&](Context& context) {
            if (sum)
              segment_sum(context, x, index);
            else
              gather(context, x, index);
          });
}

void activation_case(benchmark::State& state, Activation kind) {
  const Tensor x = noise({grid, width});
  measure(state, Work::bytes, 2.0 * static_cast<double>(x.bytes()),
          [&](Context& context) { activation(context, x, kind); });
}

void layer_norm_forward(benchmark::State& state) {
  const Tensor x = noise({grid, width}), gamma = noise({width}), beta = noise({width});
  measure(state, Work::bytes, 2.0 * static_cast<double>(x.bytes()),
          [&](Context& context) { layer_norm(context, x, gamma, beta); });
}

void concat_case(benchmark::State& state) {
  const Tensor state_features = noise({1, side, side, features}),
               forcing = noise({1, side, side, 4});
  measure(state, Work::bytes, 2.0 * 4 * grid * (3 * features + 4), [&](Context& context) {
    concat(context, {state_features, state_features, state_features, forcing}, -1);
  });
}

void transpose_case(benchmark::State& state) {
  const Tensor x = noise({1, side, side, features});
  measure(state, Work::bytes, 2.0 * static_cast<double>(x.bytes()), [&](Context& context) {
    transpose(context, x, {0, 3, 1, 2});
  });
}

void loss_case(benchmark::State& state, int64_t count, bool backward) {
  const Tensor prediction = noise({1, side, side, count}), target = noise({1, side, side, count}),
               weights = noise({count});
  Context plain;
  const Tensor mask = full(plain, {side, side, 1}, DataType::f32, 1),
               dy = full(plain, {1}, DataType::f32, 1);
  const auto op = [&](Context& context, const std::vector<Tensor>& in) {
    return weighted_loss(context, in[0], target, mask, weights, LossKind::squared);
  };
  measure(state, Work::bytes, (backward ? 5.0 : 2.0) * static_cast<double>(prediction.bytes()),
          [&](Context& context) {
            if (backward)
              differentiate(context, {prediction}, dy, op);
            else
              op(context, {prediction});
          });
}

void update_case(benchmark::State& state) {
  const Tensor last = noise({1, side, side, features}), y = noise({1, side, side, features}),
               truth = noise({1, side, side, features}), constants = noise({features}),
               border = host_tensor({side, side, 1}, DataType::f32);
  measure(state, Work::bytes, 3.0 * static_cast<double>(last.bytes()), [&](Context& context) {
    scaled_update(context, last, y, constants, constants, truth, border);
  });
}

void adamw_case(benchmark::State& state) {  // the parameters of UNet-64
  const Tensor values = noise({31 << 20}), gradients = noise({31 << 20}), first = noise({31 << 20}),
               second = host_tensor({31 << 20}, DataType::f32);
  measure(state, Work::bytes, 7.0 * static_cast<double>(values.bytes()), [&](Context& context) {
    adamw(context, values, gradients, first, second, AdamWSettings{});
  });
}

void gradient_norm_case(benchmark::State& state) {
  const Tensor x = noise({31 << 20});
  measure(state, Work::bytes, static_cast<double>(x.bytes()), [&](Context& context) {
    gradient_norm(context, x, {}, 1, context.empty({gradient_norm_count}, DataType::f64));
  });
}

const bool registered = [] {
  const auto add_case = [](const std::string& name, auto&& f) {
    benchmark::RegisterBenchmark(name.c_str(), f)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  struct Sizes {
    int64_t rows, in, out;
  };
  for (const Sizes& s : {Sizes{grid, 64, 64}, Sizes{grid, 192, 64}, Sizes{grid, 67, 64},
                         Sizes{grid, 64, 21}, Sizes{grid / 4, 256, 256}})
    for (DataType type : {DataType::f32, DataType::bf16})
      for (auto [pass, name] :
           {std::pair{0, "forward"}, {1, "data_gradient"}, {2, "weight_gradient"}})
        add_case("linear/" + std::string(name) + (type == DataType::bf16 ? "_bf16/" : "/") +
                     std::to_string(s.rows) + "x" + std::to_string(s.in) + "to" +
                     std::to_string(s.out),
                 [s, type, pass = pass](benchmark::State& state) {
                   linear_case(state, pass, s.rows, s.in, s.out, type);
                 });
  for (bool senders : {true, false})
    for (bool sum : {false, true})
      add_case(std::string(sum ? "segment_sum/" : "gather/") +
                   (senders ? "mesh_senders" : "grid_receivers"),
               [=](benchmark::State& state) { graph_case(state, senders, sum); });
  for (Activation kind : {Activation::relu, Activation::elu, Activation::gelu, Activation::silu,
                          Activation::sigmoid, Activation::tanh, Activation::softplus})
    add_case("activation/" + std::string(name_of(kind)),
             [kind](benchmark::State& state) { activation_case(state, kind); });
  for (int64_t count : {features, int64_t{1}})
    for (bool backward : {false, true})
      add_case(
          "weighted_loss/" + std::string(backward ? "both/" : "forward/") + std::to_string(count),
          [=](benchmark::State& state) { loss_case(state, count, backward); });
  add_case("layer_norm/forward", layer_norm_forward);
  add_case("concat/67", concat_case);
  add_case("transpose/channels_first", transpose_case);
  add_case("scaled_update", update_case);
  add_case("adamw", adamw_case);
  add_case("gradient_norm", gradient_norm_case);
  return true;
}();

}  // namespace
}  // namespace py4cast
