// Products, graph ops, element-wise ops, loss and optimiser at the sizes of a grid: rate,
// and share of the machine's ceiling (products, else memory traffic).
#include <string>

#include "bench/machine.h"
#include "kernels/fields/autoregressive_update.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/ops/views.h"
#include "kernels/products/grouped_linear.h"
#include "kernels/products/linear.h"
#include "kernels/products/mlp.h"
#include "kernels/training/adamw.h"
#include "kernels/training/gradient_norm.h"
#include "kernels/training/loss.h"
#include "models/mesh/mesh_graph.h"
#include "models/model.h"

namespace py4cast {
namespace {

constexpr int64_t features = 21, width = 64;

struct Sizes {
  int64_t rows, in, out;
};

void linear_case(benchmark::State& state, Machine& machine, int pass, const Sizes& sizes,
                 Precision precision) {
  const auto [rows, in, out] = sizes;
  const DataType type = type_of(precision);
  const Tensor x = machine.noise({rows, in}, type), weight = machine.noise({in, out}),
               bias = machine.noise({out}), dy = machine.noise({rows, out}, type);
  machine.measure(state, Bound::arithmetic, precision, [&](Context& context) {
    if (pass == 0) linear(context, x, weight, bias);
    if (pass == 1) linear_data_gradient(context, dy, weight);
    if (pass == 2) linear_weight_gradient(context, x, dy);
  });
}

// What a round of messages between nodes of a mesh needs, with all gradients: together, or one by one.
void grouped_case(benchmark::State& state, Machine& machine, bool together, Precision precision) {
  const DataType type = type_of(precision);
  std::vector<Tensor> inputs{machine.noise({6561, width}, type)};
  inputs.resize(4, machine.noise({width, width}));
  const Tensor dy = machine.noise({3 * 6561, width}, type);
  machine.measure(state, Bound::arithmetic, precision, [&](Context& context) {
    differentiate(context, inputs, dy, [&](Context& inner, const std::vector<Tensor>& in) {
      std::vector<Tensor> y;
      if (together)
        y = grouped_linear(inner, {{in[0], in[1]}, {in[0], in[2]}, {in[0], in[3]}});
      else
        for (size_t i = 1; i < 4; ++i) y.push_back(linear(inner, in[0], in[i]));
      return py4cast::concat(inner, y, 0);
    });
  });
}

// Cases of a grid [side, side] in fp32.
class GridOps {
 public:
  GridOps(benchmark::State& state, Machine& machine)
      : state_(state), machine_(machine), side_(machine.side()) {}

  void graph(bool senders, bool sum) const {
    const SegmentIndex index = ends(senders);
    const Tensor x = machine_.noise({1, sum ? index.edges() : index.nodes(), width});
    measure([&](Context& context) {
      if (sum)
        segment_sum(context, x, index);
      else
        gather(context, x, index);
    });
  }

  // Two layers with a norm for each grid point, or messages to the grid points, which are added there;
  // what lies between kept or not.
  void mlp(bool along, bool kept, bool backward, Precision precision) const {
    const SegmentIndex from = ends(true), to = ends(false);
    const DataType type = type_of(precision);
    std::vector<Tensor> inputs{machine_.noise({1, along ? to.edges() : to.nodes(), width}, type),
                               machine_.noise({1, from.nodes(), width}, type),
                               machine_.noise({1, to.nodes(), width}, type)};
    const auto weights = [](const std::vector<Tensor>& in, size_t at) {
      return MlpWeights{in[at], in[at + 1], in[at + 2], in[at + 3], in[at + 4], in[at + 5]};
    };
    if (!along) inputs.resize(1);
    for (const Shape& shape : {Shape{width, width}, Shape{width}, Shape{width, width}, Shape{width},
                               Shape{width}, Shape{width}})
      inputs.push_back(machine_.noise(shape));
    const Tensor dy = machine_.noise({1, to.nodes(), width}, type);
    const auto op = [&](Context& context, const std::vector<Tensor>& in) {
      if (!along) return (kept ? mlp_composite : py4cast::mlp)(context, in[0], weights(in, 1));
      return kept ? message_sums_composite(context, in[0], in[1], from, in[2], to, weights(in, 3))
                  : message_sums(context, in[0], in[1], from, in[2], to, weights(in, 3));
    };
    machine_.measure(state_, Bound::arithmetic, precision, [&](Context& context) {
      if (backward)
        differentiate(context, inputs, dy, op);
      else
        op(context, inputs);
    });
  }

  void activation(Activation kind) const {
    const Tensor x = machine_.noise({side_ * side_, width});
    measure([&](Context& context) { py4cast::activation(context, x, kind); });
  }

  void layer_norm() const {
    const Tensor x = machine_.noise({side_ * side_, width}), gamma = machine_.noise({width}),
                 beta = machine_.noise({width});
    measure([&](Context& context) { py4cast::layer_norm(context, x, gamma, beta); });
  }

  void concat() const {
    const Tensor fields = machine_.noise({1, side_, side_, features}),
                 forcing = machine_.noise({1, side_, side_, 4});
    measure([&](Context& context) {
      py4cast::concat(context, {fields, fields, fields, forcing}, -1);
    });
  }

  void transpose() const {
    const Tensor x = machine_.noise({1, side_, side_, features});
    measure([&](Context& context) { py4cast::transpose(context, x, {0, 3, 1, 2}); });
  }

  void loss(int64_t count, bool backward) const {
    const Shape shape{1, side_, side_, count};
    const Tensor prediction = machine_.noise(shape), target = machine_.noise(shape),
                 weights = machine_.noise({count}), mask = machine_.constant({side_, side_, 1}, 1),
                 dy = machine_.constant({1}, 1);
    const auto op = [&](Context& context, const std::vector<Tensor>& in) {
      return weighted_loss(context, in[0], target, mask, weights, LossKind::squared);
    };
    measure([&](Context& context) {
      if (backward)
        differentiate(context, {prediction}, dy, op);
      else
        op(context, {prediction});
    });
  }

  void update() const {
    const Shape shape{1, side_, side_, features};
    const Tensor last = machine_.noise(shape), y = machine_.noise(shape),
                 truth = machine_.noise(shape), constants = machine_.noise({features}),
                 border = machine_.constant({side_, side_, 1}, 0);
    measure(
        [&](Context& context) {
          scaled_update(context, last, y, constants, constants, truth, border);
        },
        3.0 * static_cast<double>(last.bytes()));  // truth is read at the border alone
  }

  // With 124 parameters for each point: those of UNet-64 at 512 x 512.
  void optimiser() const {
    const Shape shape{side_ * side_ * 124};
    const Tensor values = machine_.noise(shape), gradients = machine_.noise(shape),
                 first = machine_.noise(shape), second = machine_.constant(shape, 0);
    const Tensor factors = host_tensor({adamw_factor_count}, DataType::f64);
    write_adamw_factors({}, factors);
    const Tensor placed = machine_.placed(factors);
    measure(
        [&](Context& context) { adamw(context, values, gradients, first, second, placed, {}); });
  }

  void norm() const {
    const Tensor x = machine_.noise({side_ * side_ * 124});
    measure([&](Context& context) {
      gradient_norm(context, x, {}, 1, full(context, {gradient_norm_count}, DataType::f64, 1));
    });
  }

 private:
  // Of the edges from four mesh nodes to each grid point: the mesh nodes (senders) or the points.
  SegmentIndex ends(bool senders) const {
    const int64_t mesh_side = (side_ - 1) / 19 * 3 + 3, points = side_ * side_, edges = points * 4;
    const Tensor nodes = host_tensor({edges}, DataType::i32);
    for (int64_t e = 0; e < edges; ++e) {
      const int64_t point = e / 4, corner = e % 4;
      const int64_t row = point / side_ * (mesh_side - 1) / side_ + corner / 2,
                    column = point % side_ * (mesh_side - 1) / side_ + corner % 2;
      nodes.data<int32_t>()[e] = static_cast<int32_t>(senders ? row * mesh_side + column : point);
    }
    return SegmentIndex(nodes, senders ? mesh_side * mesh_side : points)
        .on(machine_.runtime().device());
  }

  void measure(const std::function<void(Context&)>& op, double bytes = 0) const {
    machine_.measure(state_, Bound::memory, Precision::fp32, op, bytes);
  }

  benchmark::State& state_;
  Machine& machine_;
  int64_t side_;
};

}  // namespace

void add_ops(Machine& machine) {
  const auto add_grid = [&](const std::string& name,
                            const std::function<void(const GridOps&)>& run) {
    add_case(name, [&machine, run](benchmark::State& state) { run(GridOps(state, machine)); });
  };
  const int64_t points = machine.side() * machine.side();
  for (const Sizes& s : {Sizes{points, 64, 64}, Sizes{points, 192, 64}, Sizes{points, 67, 64},
                         Sizes{points, 64, 21}, Sizes{points / 4, 256, 256}})
    for (const Precision precision : machine.precisions())
      for (auto [pass, name] :
           {std::pair{0, "forward"}, {1, "data_gradient"}, {2, "weight_gradient"}})
        add_case("linear/" + std::string(name) + "/" + std::string(name_of(precision)) + "/" +
                     std::to_string(s.rows) + "x" + std::to_string(s.in) + "to" +
                     std::to_string(s.out),
                 [&machine, s, precision, pass = pass](benchmark::State& state) {
                   linear_case(state, machine, pass, s, precision);
                 });
  for (bool together : {false, true})
    for (const Precision precision : machine.precisions())
      add_case("grouped_linear/" + std::string(together ? "together/" : "apart/") +
                   std::string(name_of(precision)),
               [&machine, together, precision](benchmark::State& state) {
                 grouped_case(state, machine, together, precision);
               });
  for (bool senders : {true, false})
    for (bool sum : {false, true})
      add_grid(std::string(sum ? "segment_sum/" : "gather/") +
                   (senders ? "mesh_senders" : "grid_receivers"),
               [=](const GridOps& grid) { grid.graph(senders, sum); });
  for (bool along : {false, true})
    for (bool kept : {false, true})
      for (bool backward : {false, true})
        for (const Precision precision : machine.precisions())
          add_grid(std::string(along ? "message_sums/" : "mlp/") + (kept ? "kept/" : "fused/") +
                       (backward ? "both/" : "forward/") + std::string(name_of(precision)),
                   [=](const GridOps& grid) { grid.mlp(along, kept, backward, precision); });
  for (Activation kind : {Activation::relu, Activation::elu, Activation::gelu, Activation::silu,
                          Activation::sigmoid, Activation::tanh, Activation::softplus})
    add_grid("activation/" + std::string(name_of(kind)),
             [kind](const GridOps& grid) { grid.activation(kind); });
  for (int64_t count : {features, int64_t{1}})
    for (bool backward : {false, true})
      add_grid(
          "weighted_loss/" + std::string(backward ? "both/" : "forward/") + std::to_string(count),
          [=](const GridOps& grid) { grid.loss(count, backward); });
  for (const auto& [sides, rows] :
       {std::pair{"512x512", int64_t{512}}, {"1024x1024", 1024}, {"1312x1312", 1312}})
    add_case("mesh_graph/" + std::string(sides), [rows = rows](benchmark::State& state) {
      const Tensor places = even_geometry(rows, rows)->coordinates;
      for (auto _ : state)
        benchmark::DoNotOptimize(make_mesh_graph(places, rows, rows, {.hierarchical = true}));
    });
  add_grid("layer_norm/forward", &GridOps::layer_norm);
  add_grid("concat/67", &GridOps::concat);
  add_grid("transpose/channels_first", &GridOps::transpose);
  add_grid("scaled_update", &GridOps::update);
  add_grid("adamw", &GridOps::optimiser);
  add_grid("gradient_norm", &GridOps::norm);
}

}  // namespace py4cast
