#include "kernels/products/mlp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/memory.h"
#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/views.h"
#include "tests/engine/error_of.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor nodes_of(const std::vector<int32_t>& nodes) {
  const Tensor result = host_tensor({static_cast<int64_t>(nodes.size())}, DataType::i32);
  std::copy(nodes.begin(), nodes.end(), result.data<int32_t>());
  return result;
}

// From inputs `at` on: first weight and bias if there are any features that come in, last weight and
// bias and, with a norm, gamma and beta.
struct Layers {
  int64_t in, hidden, out;
  bool norm, first_bias = true;

  int64_t features() const { return in ? in : hidden; }
  template <typename Inputs>
  MlpWeights weights(const Inputs& inputs, size_t at) const {
    MlpWeights w;
    if (in) w.first = inputs[at++];
    if (in && first_bias) w.first_bias = inputs[at++];
    w.last = inputs[at++];
    w.last_bias = inputs[at++];
    if (!norm) return w;
    w.gamma = inputs[at++];
    w.beta = inputs[at];
    return w;
  }
  // After those given.
  std::vector<Shape> shapes(std::vector<Shape> result) const {
    if (in) result.push_back({in, hidden});
    if (in && first_bias) result.push_back({hidden});
    result.insert(result.end(), {{hidden, out}, {out}});
    if (norm) result.insert(result.end(), 2, Shape{out});
    return result;
  }
  std::vector<bool> first_in_bf16(size_t count) const {
    std::vector<bool> result(shapes({}).size() + count);
    std::fill_n(result.begin(), count, true);
    return result;
  }
};

struct MlpCase {
  Shape rows;  // without features
  Layers layers;
};
class Mlps : public ::testing::TestWithParam<MlpCase> {};

TEST_P(Mlps, Checked) {
  const auto& [rows, layers] = GetParam();
  check_op(
      {.op = [&](Context& c, const auto& in) { return mlp(c, in[0], layers.weights(in, 1)); },
       .composite = [&](Context& c,
                        const auto& in) { return mlp_composite(c, in[0], layers.weights(in, 1)); },
       .shapes = layers.shapes({rows.inserted(rows.rank(), layers.features())}),
       .bf16 = layers.first_in_bf16(1),
       .bf16_roundings = 4});
}
INSTANTIATE_TEST_SUITE_P(
    OddSizes, Mlps,
    ::testing::Values(MlpCase{{2, 3}, {0, 5, 3, true}}, MlpCase{{7}, {0, 1, 1, false}},
                      MlpCase{{1, 4, 4}, {0, 9, 17, true}}, MlpCase{{49}, {0, 8, 6, false}},
                      MlpCase{{2, 3}, {4, 5, 3, true}}, MlpCase{{3}, {17, 3, 6, true, false}},
                      MlpCase{{5, 10}, {3, 18, 4, true}}, MlpCase{{7}, {1, 1, 1, false}},
                      MlpCase{{3}, {2, 64, 64, true}}));

// Nodes of both ends by edge; the receivers are sorted or not, and some nodes have no edge.
struct MessageCase {
  std::vector<int32_t> from, to;
  int64_t senders, receivers;
  bool mean;
};
class MessageSums : public ::testing::TestWithParam<MessageCase> {};

TEST_P(MessageSums, Checked) {
  const MessageCase& test = GetParam();
  const SegmentIndex from(nodes_of(test.from), test.senders), to(nodes_of(test.to), test.receivers);
  for (const Layers& layers : {Layers{0, 3, 5, true}, Layers{0, 16, 4, true}, Layers{6, 3, 5, true},
                               Layers{2, 17, 4, false, false}}) {
    const auto with = [&](auto op) {
      return [=, &layers, mean = test.mean](Context& c, const auto& in) {
        return op(c, in[0], in[1], from.on(c.device), in[2], to.on(c.device), layers.weights(in, 3),
                  mean);
      };
    };
    const auto made_again = [](Context& c, const Tensor& x, const Tensor& senders,
                               const SegmentIndex& sending, const Tensor& receivers,
                               const SegmentIndex& receiving, const MlpWeights& weights,
                               bool mean) {
      const auto rows = [&c](const Tensor& nodes) -> NodeRows {
        const auto make = [nodes](Context& inner) { return scale(inner, nodes, 1); };
        return {make(c), make};
      };
      return message_sums(c, x, rows(senders), sending, rows(receivers), receiving, weights, mean);
    };
    for (const Op& op : {Op(with(made_again)), Op(with(message_sums))})
      check_op({.op = op,
                .composite = with(message_sums_composite),
                .shapes = layers.shapes({{2, from.edges(), layers.features()},
                                         {2, test.senders, layers.hidden},
                                         {2, test.receivers, layers.hidden}}),
                .bf16 = layers.first_in_bf16(3),
                .bf16_roundings =
                    10});  // norms of few features enlarge them, and centred weights are rounded
  }
}
INSTANTIATE_TEST_SUITE_P(
    Graphs, MessageSums,
    ::testing::Values(MessageCase{{1, 0, 2, 1, 1}, {0, 0, 1, 3, 3}, 3, 5, false},
                      MessageCase{{1, 0, 2, 1, 1}, {0, 0, 1, 3, 3}, 3, 5, true},
                      MessageCase{{0, 1, 0, 3, 2, 1}, {4, 0, 4, 1, 0, 4}, 4, 6, false},
                      MessageCase{{0, 1, 0, 3, 2, 1}, {4, 0, 4, 1, 0, 4}, 4, 6, true}));

TEST_P(MessageSums, UpdateChecked) {
  const MessageCase& test = GetParam();
  const SegmentIndex from(nodes_of(test.from), test.senders), to(nodes_of(test.to), test.receivers);
  for (const Layers& layers : {Layers{5, 3, 5, true}, Layers{4, 17, 4, false, false}}) {
    const auto with = [&](auto op) {
      return [=, &layers, mean = test.mean](Context& c, const auto& in) {
        const MessageUpdate both = op(c, in[0], in[1], from.on(c.device), in[2], to.on(c.device),
                                      layers.weights(in, 3), mean);
        return concat(c, {both.sums, both.rows}, 1);
      };
    };
    check_op({.op = with(message_update),
              .composite = with(message_update_composite),
              .shapes = layers.shapes({{2, from.edges(), layers.in},
                                       {2, test.senders, layers.hidden},
                                       {2, test.receivers, layers.hidden}}),
              .bf16 = layers.first_in_bf16(3),
              .bf16_roundings = 8});
  }
}

TEST(MlpUpdate, Checked) {
  for (const Layers& layers :
       {Layers{4, 5, 9, true}, Layers{17, 3, 16, true, false}, Layers{3, 18, 4, false}}) {
    const auto with = [&](auto op) {
      return [=, &layers](Context& c, const auto& in) {
        return op(c, in[0], in[1], in[2], layers.weights(in, 3));
      };
    };
    check_op(
        {.op = with(mlp_update),
         .composite = with(mlp_update_composite),
         .shapes = layers.shapes({{2, 3, layers.in}, {2, 3, layers.hidden}, {2, 3, layers.out}}),
         .bf16 = layers.first_in_bf16(3),
         .bf16_roundings = 8});
  }
}

// The value and the gradients of all inputs; in the last use of what was saved, memory is taken over.
std::vector<Tensor> outcome(Context context, const Op& op, const std::vector<Tensor>& given,
                            const Tensor& dy, bool last_use = false) {
  Tape tape(add);
  context.tape = &tape;
  std::vector<Tensor> leaves, in;
  for (const Tensor& x : given) leaves.push_back(tape.watch(x));
  for (const Tensor& x : leaves) in.push_back(scale(context, x, 1));
  const Tensor y = op(context, in);
  in.clear();
  std::vector<Tensor> result = last_use ? tape.backward(context, {&y, 1}, {dy}, {}, leaves)
                                        : tape.gradient(context, {&y, 1}, {dy}, leaves);
  result.insert(result.begin(), y);
  return result;
}

// In bf16 at every level, in memory that was NaN: f64's values within some roundings.
void check_in_bf16(const Op& op, const Op& composite, const std::vector<Shape>& shapes,
                   size_t in_bf16, double roundings) {
  std::vector<Tensor> given, exact;
  for (const Shape& shape : shapes) {
    const Tensor x = random_tensor(shape, DataType::bf16, given.size());
    exact.push_back(converted(x, DataType::f64));
    given.push_back(given.size() < in_bf16 ? x : converted(x, DataType::f32));
  }
  Context plain;
  const Tensor dy = random_tensor(op(plain, given).shape(), DataType::bf16, 99);
  const std::vector<Tensor> expected =
      outcome(plain, composite, exact, converted(dy, DataType::f64));
  for (CpuLevel level : cpu_levels(DataType::bf16)) {
    MemoryLedger ledger;
    StepArena arena(ledger, StepArena::Mode::debug, 0, plain.device);
    Context context;
    context.cpu_level = level;
    context.arena = &arena;
    std::vector<double> differences;
    for (int run = 0; run < 2; ++run)
      arena.run("op", [&] {
        differences.clear();
        const std::vector<Tensor> found = outcome(context, op, given, dy);
        for (size_t i = 0; i < found.size() && !context.dry(); ++i)
          differences.push_back(difference(found[i], expected[i]));
      });
    EXPECT_EQ(differences.size(), expected.size());
    for (size_t i = 0; i < differences.size(); ++i)
      EXPECT_LT(differences[i], roundings / 256) << name_of(level) << ", result " << i;
  }
}

// Rows and features around the sizes of register tiles.
TEST(Mlp, OfManySizesIsRightInBf16) {
  for (const MlpCase& test :
       {MlpCase{{1}, {33, 65, 40, true}}, MlpCase{{15}, {33, 65, 40, true}},
        MlpCase{{2, 8}, {64, 64, 64, true}}, MlpCase{{17}, {33, 65, 40, true}},
        MlpCase{{31}, {7, 1, 33, false}}, MlpCase{{32}, {1, 7, 65, true}},
        MlpCase{{3, 11}, {65, 33, 7, false}}, MlpCase{{47}, {200, 65, 1, false}},
        MlpCase{{49}, {33, 200, 65, true, false}}, MlpCase{{97}, {256, 33, 256, true}},
        MlpCase{{64}, {1, 256, 200, false}}, MlpCase{{33}, {0, 65, 33, true}},
        MlpCase{{49}, {0, 256, 7, false}}, MlpCase{{600}, {15, 17, 31, true}}}) {
    const Shape& rows = test.rows;
    const Layers& layers = test.layers;
    SCOPED_TRACE(::testing::Message()
                 << rows << " " << layers.in << " to " << layers.hidden << " to " << layers.out);
    check_in_bf16(
        [&](Context& c, const auto& in) { return mlp(c, in[0], layers.weights(in, 1)); },
        [&](Context& c, const auto& in) { return mlp_composite(c, in[0], layers.weights(in, 1)); },
        layers.shapes({rows.inserted(rows.rank(), layers.features())}), 1, 4);
  }
}
TEST(MessageSums, OfManySizesAreRightInBf16) {
  constexpr int senders = 9, receivers = 21;
  for (const auto& [edges, layers] :
       {std::pair{1, Layers{33, 65, 40, true}}, std::pair{16, Layers{64, 64, 64, true}},
        std::pair{33, Layers{7, 33, 65, true}}, std::pair{97, Layers{65, 17, 33, true}},
        std::pair{97, Layers{0, 65, 200, true}}}) {
    std::vector<int32_t> from, to;
    for (int e = 0; e < edges; ++e) {
      from.push_back(e * 5 % senders);
      to.push_back(e * e % (receivers - 1));  // most nodes have no edge
    }
    const SegmentIndex ends[] = {{nodes_of(from), senders}, {nodes_of(to), receivers}};
    SCOPED_TRACE(::testing::Message() << edges << " edges, " << layers.in << " to " << layers.hidden
                                      << " to " << layers.out);
    const auto with = [&](auto op, bool mean) {
      return [&, op, mean](Context& c, const auto& in) {
        return op(c, in[0], in[1], ends[0], in[2], ends[1], layers.weights(in, 3), mean);
      };
    };
    for (const bool mean : {false, true})
      check_in_bf16(with(message_sums, mean), with(message_sums_composite, mean),
                    layers.shapes({{2, edges, layers.features()},
                                   {2, senders, layers.hidden},
                                   {2, receivers, layers.hidden}}),
                    3, 4);
  }
}

// SiLU and its slope have code of their own: by hand, from where they vanish to where they are the identity,
// and beyond.
TEST(Mlp, SiluIsRightWhereverItIs) {
  constexpr int64_t count = 8 * 64;
  const Tensor points = host_tensor({count, 1}, DataType::f32),
               one = host_tensor({1, 1}, DataType::f32),
               ones = host_tensor({count, 1}, DataType::f32),
               zero = host_tensor({1}, DataType::f32);
  std::ranges::fill(ones.span<float>(), 1.0f);
  one.data<float>()[0] = 1;
  zero.data<float>()[0] = 0;
  const std::vector<float> ends{0,    -0.0f, 1e-30f, -1e-30f, 87,    -87,    89,    -89,
                                1000, -1000, 1e9f,   -1e9f,   1e37f, -1e37f, 3e38f, -3e38f};
  for (int64_t i = 0; i < count; ++i) {
    const auto k = static_cast<size_t>(i);
    points.data<float>()[i] =
        k < ends.size() ? ends[k] : (static_cast<float>(i) / count - 0.5f) * 60;
  }
  const auto silu = [&](Context& c, const auto& in) {
    return mlp(c, in[0], {.last = one, .last_bias = zero});
  };
  for (const DataType type : {DataType::f32, DataType::bf16}) {
    const Tensor x = converted(points, type), exact = converted(x, DataType::f64);
    // bf16 is rounded to 8 bits, and a slope is made of a number that was
    const double bits = type == DataType::f32 ? 5e-7 : 5e-3;
    for (const CpuLevel level : cpu_levels(type)) {
      Context context;
      context.cpu_level = level;
      const auto found = outcome(context, silu, {x}, converted(ones, type));
      const Tensor values = converted(found[0], DataType::f64),
                   slopes = converted(found[1], DataType::f64);
      for (int64_t i = 0; i < count; ++i) {
        const double z = exact.data<double>()[i], gate = 1 / (1 + std::exp(-z));
        const double value = z * gate, slope = gate + value * (1 - gate);
        const double cancelled = 6e-8 * std::min(std::abs(z), 20.0);  // of 1 - gate in f32, times z
        EXPECT_NEAR(values.data<double>()[i], value, std::abs(value) * bits + 1e-35)
            << z << " " << name_of(level);
        EXPECT_NEAR(slopes.data<double>()[i], slope, (std::abs(slope) + 0.4) * bits + cancelled)
            << z << " " << name_of(level);
      }
    }
  }
}

// From and to: a third of the edges goes to one node, and some nodes have none.
std::pair<std::vector<int32_t>, std::vector<int32_t>> uneven_ends(int64_t senders,
                                                                  int64_t receivers,
                                                                  int64_t edges) {
  std::vector<int32_t> from, to;
  for (int64_t e = 0; e < edges; ++e) {
    from.push_back(static_cast<int32_t>(e * 7 % senders));
    to.push_back(static_cast<int32_t>(e < edges / 3 ? 3 : 5 + e * e % (receivers - 5)));
  }
  return {from, to};
}

// Many tiles, chunks that end inside of a sample, nodes of very different degree.
TEST(MessageSums, EqualTheCompositeOnLargeGraphs) {
  constexpr int64_t senders = 40, receivers = 300, edges = 3000;
  for (const Layers& layers :
       {Layers{0, 33, 20, true}, Layers{35, 33, 20, true}, Layers{64, 64, 64, true}})
    for (const bool sorted : {false, true}) {
      auto [from, to] = uneven_ends(senders, receivers, edges);
      if (sorted) std::sort(to.begin(), to.end());
      const SegmentIndex ends[] = {{nodes_of(from), senders}, {nodes_of(to), receivers}};
      std::vector<Tensor> given;
      for (const Shape& shape : layers.shapes({{3, edges, layers.features()},
                                               {3, senders, layers.hidden},
                                               {3, receivers, layers.hidden}}))
        given.push_back(random_tensor(shape, DataType::f64, given.size()));
      const Tensor dy = random_tensor({3, receivers, layers.out}, DataType::f64, 99);
      const auto fused = [&](Context& c, const auto& in) {
        return message_sums(c, in[0], in[1], ends[0], in[2], ends[1], layers.weights(in, 3));
      };
      const auto composite = [&](Context& c, const auto& in) {
        return message_sums_composite(c, in[0], in[1], ends[0], in[2], ends[1],
                                      layers.weights(in, 3));
      };
      const auto found = outcome({}, fused, given, dy), last = outcome({}, fused, given, dy, true),
                 expected = outcome({}, composite, given, dy);
      for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_LT(difference(found[i], expected[i]), 1e-11) << i;
        EXPECT_TRUE(std::ranges::equal(found[i].span<double>(), last[i].span<double>())) << i;
      }
      for (const DataType type : {DataType::f32, DataType::bf16}) {
        std::vector<Tensor> in;
        for (const Tensor& x : given)
          in.push_back(converted(x, in.size() < 3 ? type : DataType::f32));
        for (const size_t i : {0, 4})  // the value and the gradient of the first weight there is
          check_threads([&](Context& c) { return outcome(c, fused, in, converted(dy, type))[i]; },
                        type);
      }
    }
}

// Rows that are made again and gradients that take over memory have the bits of those that do not.
TEST(MessageSums, KeepTheirBitsWhereLessIsKept) {
  constexpr int64_t senders = 30, receivers = 50, edges = 400;
  const auto [from, to] = uneven_ends(senders, receivers, edges);
  const auto check = [&](Context& context, const Layers& layers, DataType type, bool update) {
    context.precision = type == DataType::bf16 ? Precision::bf16 : Precision::fp32;
    const SegmentIndex sending = SegmentIndex(nodes_of(from), senders).on(context.device),
                       receiving = SegmentIndex(nodes_of(to), receivers).on(context.device);
    std::vector<Tensor> given;
    for (const Shape& shape : layers.shapes({{2, edges, layers.features()},
                                             {2, senders, layers.hidden},
                                             {2, receivers, layers.hidden}}))
      given.push_back(
          to_device(random_tensor(shape, given.size() < 3 ? type : DataType::f32, given.size()),
                    context.device));
    const Tensor dy =
        to_device(random_tensor({2, receivers, layers.out}, type, 99), context.device);
    const auto with = [&](bool made_again) {
      return [&, made_again](Context& c, const std::vector<Tensor>& in) {
        const MlpWeights weights = layers.weights(in, 3);
        if (update) {
          const MessageUpdate both =
              message_update(c, in[0], in[1], sending, in[2], receiving, weights);
          return mlp_update(c, both.sums, scale(c, in[2], 2), segment_sum(c, both.rows, receiving),
                            weights);
        }
        const auto rows = [&](size_t i) -> NodeRows {
          if (!made_again) return in[i];
          return {in[i], [x = given[i]](Context& later) { return scale(later, x, 1); }};
        };
        return message_sums(c, in[0], rows(1), sending, rows(2), receiving, weights);
      };
    };
    const auto kept = outcome(context, with(false), given, dy);
    for (const bool last_use : {false, true}) {
      const auto made = outcome(context, with(true), given, dy, last_use);
      for (size_t i = 0; i < kept.size(); ++i) {
        const Tensor a = host_copy(kept[i]), b = host_copy(made[i]);
        EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0)
            << layers.in << (update ? ", update, " : ", ") << last_use << ", result " << i;
      }
    }
  };
  for (const DataType type : {DataType::f32, DataType::bf16})
    for_each_device([&](Context& context) {
      for (const Layers& layers : {Layers{64, 64, 64, true}, Layers{0, 64, 64, true},
                                   Layers{20, 20, 33, false}, Layers{70, 64, 64, true}})
        check(context, layers, type, false);
      for (const Layers& layers : {Layers{64, 64, 64, true}, Layers{20, 20, 20, false}})
        check(context, layers, type, true);
    });
}

// Without any edge, and wider than the kernels take.
TEST(MessageSums, OfNoEdgesAreZero) {
  Context context;
  const SegmentIndex none(nodes_of({}), 3);
  const auto zeros = [](const Shape& shape) { return host_tensor(shape, DataType::f32); };
  const Tensor y = message_sums(context, zeros({1, 0, 4}), zeros({1, 3, 4}), none, zeros({1, 3, 4}),
                                none, {.last = zeros({4, 2}), .last_bias = zeros({2})});
  EXPECT_EQ(y.shape(), (Shape{1, 3, 2}));
  for (float v : y.span<float>()) EXPECT_EQ(v, 0);
}
// What comes in and what goes out are all that is as large, and the gradient lies where x lay.
TEST(Mlp, ItsGradientTakesOverMemory) {
  MemoryLedger ledger;
  StepArena arena(ledger);
  const Tensor x = host_tensor({1000, 64}, DataType::f32),
               square = host_tensor({64, 64}, DataType::f32),
               row = host_tensor({64}, DataType::f32);
  const MlpWeights weights{square, row, square, row, row, row};
  Context context;
  context.arena = &arena;
  const StepPlan& plan = arena.plan("step", [&] {
    Tape tape(add);
    context.tape = &tape;
    const Tensor leaf = tape.watch(x);
    const Tensor y = mlp(context, scale(context, leaf, 2), weights);
    tape.backward(context, {&y, 1}, {x}, {}, {&leaf, 1});
  });
  EXPECT_EQ(std::ranges::count_if(plan.requests,
                                  [&](const auto& request) { return request.bytes >= x.bytes(); }),
            2);
}
TEST(Mlp, TakesWideLayers) {
  Context context;
  const Tensor x = random_tensor({3, 300}, DataType::f64, 1),
               weight = random_tensor({300, 2}, DataType::f64, 2),
               bias = random_tensor({2}, DataType::f64, 3);
  EXPECT_LT(difference(mlp(context, x, {.last = weight, .last_bias = bias}),
                       mlp_composite(context, x, {.last = weight, .last_bias = bias})),
            1e-14);
}

TEST(Mlp, SaysWhatDoesNotFit) {
  Context context;
  const auto zeros = [](const Shape& shape) { return host_tensor(shape, DataType::f32); };
  EXPECT_EQ(error_of([&] {
              mlp(context, zeros({5, 4}), {.last = zeros({3, 2}), .last_bias = zeros({2})});
            }),
            "mlp: weight is [3, 2], bias [2] after 4 features of type f32; they must be [hidden, "
            "out] and [out], of one type");
  EXPECT_EQ(error_of([&] {
              mlp(context, zeros({5, 4}),
                  {.first = zeros({3, 2}), .last = zeros({2, 2}), .last_bias = zeros({2})});
            }),
            "mlp: the first weight is [3, 2] and x f32 [5, 4]; they must be [in, hidden] and [..., "
            "in], and the bias [hidden], of one type");
  const SegmentIndex two(nodes_of({0, 1}), 2);
  EXPECT_EQ(error_of([&] {
              message_sums(context, zeros({1, 2, 4}), zeros({1, 3, 4}), two, zeros({1, 2, 4}), two,
                           {.last = zeros({4, 2}), .last_bias = zeros({2})});
            }),
            "message_sums: x is [1, 2, 4], senders [1, 3, 4] and receivers [1, 2, 4] for 2 edges "
            "from 2 to 2 nodes and 4 hidden features; they must agree in batch, features and type");
}

Tensor cosines(const Shape& shape, int k) {
  Tensor x = host_tensor(shape, DataType::f64);
  for (int i = 0; double& value : x.span<double>()) {
    value = std::cos(0.7 * i * i + k);
    ++i;
  }
  return x;
}

// index_add of layer_norm(silu(...) @ weight + bias) in PyTorch, f64.
TEST(MessageSums, HaveTheValuesOfTheReference) {
  const SegmentIndex from(nodes_of({1, 0, 1, 1}), 2), to(nodes_of({0, 2, 2, 0}), 3);
  expect_values(
      [&](Context& c, const auto& in) {
        return message_sums(c, in[0], in[1], from.on(c.device), in[2], to.on(c.device),
                            Layers{0, 3, 3, true}.weights(in, 3));
      },
      {cosines({1, 4, 3}, 0), cosines({1, 2, 3}, 1), cosines({1, 3, 3}, 2), cosines({3, 3}, 3),
       cosines({3}, 4), cosines({3}, 5), cosines({3}, 6)},
      cosines({1, 3, 3}, 7),
      {{1.29812355878038, 1.4539336800075, -1.47960505575537, 0, 0, 0, 1.32884913632995,
        1.39735308108826, -1.48179202992772},
       {-0.00320785892514688, 0.00298826598398817, 0.00591254448109064, 0.0272378388209621,
        -0.192372625390055, 0.0315472877235545, 0.353961686010288, -0.10979042785711,
        -0.641043068371021, -0.0011584568672392, 0.00118944335600208, 0.002283959097864},
       {0.0272378388209621, -0.192372625390055, 0.0315472877235545, 0.349595370217902,
        -0.10561271851712, -0.632846564792066},
       {-0.00436631579238608, 0.00417770933999025, 0.00819650357895465, 0, 0, 0, 0.38119952483125,
        -0.302163053247165, -0.609495780647467},
       {0.416331251003211, -0.62948458121919, 0.213153330215979, 0.0579153987620596,
        -0.0794993334022281, 0.0215839346401685, 0.000261476627943869, -0.0927065802719211,
        0.0924451036439772},
       {0.530653158394045, -0.804878467197709, 0.274225308803663},
       {-3.13010385841267, 0.394404161435194, -2.36433846469433},
       {2.92389023737063, -1.48598234612244, -1.78831089080849}});
}
}  // namespace
}  // namespace py4cast::testing
