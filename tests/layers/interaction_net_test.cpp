// Values of mfai 9.0.1's InteractionNet in f64.
#include "layers/interaction_net.h"

#include <gtest/gtest.h>

#include "engine/kept_values.h"
#include "engine/op_note.h"
#include "engine/tape.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "tests/layers/numbered.h"

namespace py4cast {
namespace {

Edges five_edges(const Builder& builder) {
  const Tensor index = host_tensor({2, 5}, DataType::i32);
  std::ranges::copy(std::vector{0, 1, 3, 2, 0, 1, 0, 1, 2, 0}, index.data<int32_t>());
  return Edges(builder.child("edges"), index, 4, 3);
}

// The new receivers and edges; the receivers alone are the same.
void expect_interaction(const InteractionSettings& settings, const std::vector<double>& nodes,
                        const std::vector<double>& edges) {
  ParameterSlab slab(DataType::f64);
  const Builder builder(slab);
  const InteractionNet net(builder, five_edges(builder), settings);
  number(slab);
  Context context;
  const Tensor senders = numbered({1, 4, 2}, 50);
  Tensor receivers = numbered({1, 3, 2}, 51), features = numbered({1, 5, 2}, 52);
  expect_near(net(context, senders, receivers, features), nodes);
  net.update(context, senders, receivers, features);
  expect_near(receivers, nodes);
  expect_near(features, edges);
}

TEST(InteractionNet, HasTheValuesOfTheReference) {
  const std::vector<double> edges = {
      0.562764604201, 0.0660685161736, -0.0627240417588, 0.052944243392, -0.54690211375,
      1.34582739482,  0.56985055355,   1.78601644473,    1.43369525067,  0.642767807662};
  expect_interaction({.width = 2},
                     {-0.0924847387896, 1.07474057617, 0.308334336945, -0.596627408386,
                      -0.0812537842967, -0.103250503458},
                     edges);
  expect_interaction({.width = 2, .mean = true},
                     {-0.0924826035213, 1.0747398349, 0.308028909477, -0.596521377201,
                      -0.0812537842967, -0.103250503458},
                     edges);
  expect_interaction(
      {.width = 2, .recompute = true, .edge_chunks = {2, 3}, .node_chunks = {1, 2}},
      {-0.490662870442, 1.09173276694, -2.06710227334, -0.0565151479728, -2.45657235073,
       0.436825850025},
      {0.562764604201, 0.0660685161736, -0.0627240417588, 0.052944243392, -1.01157483554,
       1.43760975794, 0.105184678788, 1.87780005072, -0.338121755993, 0.759290954432});
}

// Gradients of `calls` calls in a row with the same edges, by name, and how many products with 5 edges
// were made forward.
struct InARow {
  std::map<std::string, Tensor> gradients;
  int64_t products = 0;
};
InARow in_a_row(int64_t calls, bool of_grid) {
  ParameterSlab slab(DataType::f64);
  const Builder builder(slab);
  const InteractionNet net(builder, five_edges(builder), {.width = 2, .of_grid = of_grid});
  number(slab);
  struct Products : OpObserver {
    int64_t found = 0;
    void op(const Context&, const OpNote& note, std::span<const Tensor> inputs,
            std::span<const Tensor>) override {
      found += std::string_view(note.name) == "linear" && inputs[0].size(1) == 5;
    }
  } products;
  Context context;
  Tape tape(add);
  context.tape = &tape;
  KeptValues values;
  if (calls > 1) context.kept = &values;
  context.observer = &products;
  const Tensor senders = numbered({1, 4, 2}, 50), edges = tape.watch(numbered({1, 5, 2}, 52));
  Tensor receivers = tape.watch(numbered({1, 3, 2}, 51));
  const Tensor first = receivers;
  for (int64_t call = 0; call < calls; ++call) receivers = net(context, senders, receivers, edges);
  const Tensor loss = sum_all(context, multiply(context, receivers, receivers));
  InARow result{.products = products.found};
  const Tensor inputs[] = {edges, first};
  const Gradients of_inputs = tape.backward(
      context, {&loss, 1}, {full(context, {}, DataType::f64, 1)},
      [&](Context&, const Parameter& parameter, Tensor gradient) {
        result.gradients[parameter.name()] = std::move(gradient);
      },
      inputs);
  result.gradients["edges"] = of_inputs[0];
  result.gradients["receivers"] = of_inputs[1];
  return result;
}

TEST(InteractionNet, MultipliesEdgesOfGridsOnceForAllCalls) {
  for (const int64_t calls : {1, 3}) {
    const InARow each = in_a_row(calls, false), once = in_a_row(calls, true);
    EXPECT_EQ(each.products, 0);  // within message_sums
    EXPECT_EQ(once.products, calls > 1);
    EXPECT_EQ(once.gradients.size(), 14u);
    for (const auto& [name, gradient] : each.gradients) {
      SCOPED_TRACE(name);
      const auto expected = gradient.span<double>();
      expect_near(once.gradients.at(name), {expected.begin(), expected.end()});
    }
  }
}

// Without a tape, too, and then the edges themselves are not made again.
TEST(InteractionNet, MakesEdgesOfGridsOnceForAForecast) {
  ParameterSlab slab(DataType::f64);
  const Builder builder(slab);
  const InteractionNet net(builder, five_edges(builder), {.width = 2, .of_grid = true});
  number(slab);
  const auto forecast = [&](KeptValues* kept, int& made) {
    Context context;
    context.kept = kept;
    const Tensor senders = numbered({1, 4, 2}, 50);
    Tensor receivers = numbered({1, 3, 2}, 51);
    for (int call = 0; call < 3; ++call)
      receivers = net(context, senders, receivers, [&] {
        ++made;
        return numbered({1, 5, 2}, 52);
      });
    return receivers;
  };
  KeptValues values;
  int each = 0, once = 0;
  const Tensor expected = forecast(nullptr, each), found = forecast(&values, once);
  EXPECT_EQ(each, 3);
  EXPECT_EQ(once, 1);
  const auto numbers = expected.span<double>();
  expect_near(found, {numbers.begin(), numbers.end()});
}

TEST(InteractionNet, NamesAreThoseOfTheReference) {
  ParameterSlab slab;
  const Builder builder(slab);
  const InteractionNet net(builder, five_edges(builder),
                           {.width = 2, .hidden_layers = 0, .edge_chunks = {2, 3}});
  EXPECT_EQ(names(slab),
            "edge_mlp.mlps.0.0.weight [2, 6], edge_mlp.mlps.0.0.bias [2], "
            "edge_mlp.mlps.0.1.weight [2], edge_mlp.mlps.0.1.bias [2], "
            "edge_mlp.mlps.1.0.weight [2, 6], edge_mlp.mlps.1.0.bias [2], "
            "edge_mlp.mlps.1.1.weight [2], edge_mlp.mlps.1.1.bias [2], "
            "aggr_mlp.0.weight [2, 4], aggr_mlp.0.bias [2], aggr_mlp.1.weight [2], "
            "aggr_mlp.1.bias [2]");
}

}  // namespace
}  // namespace py4cast
