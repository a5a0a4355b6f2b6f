#include "kernels/products/mlp_tail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "tests/engine/error_of.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor nodes_of(const std::vector<int32_t>& nodes) {
  const Tensor result = host_tensor({static_cast<int64_t>(nodes.size())}, DataType::i32);
  std::copy(nodes.begin(), nodes.end(), result.data<int32_t>());
  return result;
}

// From inputs `first` on: weight, bias and, with a norm, gamma and beta.
template <typename Inputs>
MlpTail tail_of(const Inputs& in, size_t first, bool norm) {
  return {in[first], in[first + 1], norm ? in[first + 2] : Tensor(),
          norm ? in[first + 3] : Tensor()};
}
std::vector<Shape> tail_shapes(int64_t hidden, int64_t out, bool norm) {
  std::vector<Shape> result{{hidden, out}, {out}};
  if (norm) result.insert(result.end(), 2, Shape{out});
  return result;
}
std::vector<Shape> joined(std::vector<Shape> a, const std::vector<Shape>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct TailCase {
  Shape rows;
  int64_t hidden, out;
  bool norm;
};
class MlpTails : public ::testing::TestWithParam<TailCase> {};

TEST_P(MlpTails, Checked) {
  const auto [rows, hidden, out, norm] = GetParam();
  check_op({.op = [n = norm](Context& c,
                             const auto& in) { return mlp_tail(c, in[0], tail_of(in, 1, n)); },
            .composite =
                [n = norm](Context& c, const auto& in) {
                  return mlp_tail_composite(c, in[0], tail_of(in, 1, n));
                },
            .shapes = joined({rows}, tail_shapes(hidden, out, norm))});
}
INSTANTIATE_TEST_SUITE_P(OddSizes, MlpTails,
                         ::testing::Values(TailCase{{2, 3, 5}, 5, 3, true},
                                           TailCase{{7, 1}, 1, 1, false},
                                           TailCase{{1, 4, 4, 9}, 9, 17, true},
                                           TailCase{{49, 8}, 8, 6, false}));

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
  const auto with = [&](auto op) {
    return [=, mean = test.mean](Context& c, const auto& in) {
      return op(c, in[0], in[1], from.on(c.device), in[2], to.on(c.device), tail_of(in, 3, true),
                mean);
    };
  };
  for (const auto& [hidden, out] : {std::pair<int64_t, int64_t>{3, 5}, {16, 4}})
    check_op(
        {.op = with(message_sums),
         .composite = with(message_sums_composite),
         .shapes = joined(
             {{2, from.edges(), hidden}, {2, test.senders, hidden}, {2, test.receivers, hidden}},
             tail_shapes(hidden, out, true))});
}
INSTANTIATE_TEST_SUITE_P(
    Graphs, MessageSums,
    ::testing::Values(MessageCase{{1, 0, 2, 1, 1}, {0, 0, 1, 3, 3}, 3, 5, false},
                      MessageCase{{1, 0, 2, 1, 1}, {0, 0, 1, 3, 3}, 3, 5, true},
                      MessageCase{{0, 1, 0, 3, 2, 1}, {4, 0, 4, 1, 0, 4}, 4, 6, false},
                      MessageCase{{0, 1, 0, 3, 2, 1}, {4, 0, 4, 1, 0, 4}, 4, 6, true}));

// Many tiles, chunks that end inside of a sample, nodes of very different degree.
TEST(MessageSums, EqualTheCompositeOnLargeGraphs) {
  constexpr int64_t senders = 40, receivers = 300, edges = 3000, width = 33;
  std::vector<int32_t> from, to;
  for (int64_t e = 0; e < edges; ++e) {
    from.push_back(static_cast<int32_t>(e * 7 % senders));
    to.push_back(static_cast<int32_t>(e < 1000 ? 3 : 5 + e * e % (receivers - 5)));
  }
  for (const bool sorted : {false, true}) {
    if (sorted) std::sort(to.begin(), to.end());
    const SegmentIndex ends[] = {{nodes_of(from), senders}, {nodes_of(to), receivers}};
    std::vector<Tensor> given;
    for (const Shape& shape :
         joined({{3, edges, width}, {3, senders, width}, {3, receivers, width}},
                tail_shapes(width, 20, true)))
      given.push_back(random_tensor(shape, DataType::f64, given.size()));
    const Tensor dy = random_tensor({3, receivers, 20}, DataType::f64, 99);
    const auto outcome = [&](const auto& op) {
      Context context;
      Tape tape(add);
      context.tape = &tape;
      std::vector<Tensor> in;
      for (const Tensor& x : given) in.push_back(tape.watch(x));
      const Tensor y =
          op(context, in[0], in[1], ends[0], in[2], ends[1], tail_of(in, 3, true), false);
      std::vector<Tensor> result = tape.gradient(context, {&y, 1}, {dy}, in);
      result.push_back(y);
      context.tape = nullptr;
      return result;
    };
    const auto found = outcome(message_sums), expected = outcome(message_sums_composite);
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_LT(difference(found[i], expected[i]), 1e-11) << i;
    check_threads([&](Context& c) {
      std::vector<Tensor> in;
      for (const Tensor& x : given) in.push_back(converted(x, DataType::f32));
      return message_sums(c, in[0], in[1], ends[0], in[2], ends[1], tail_of(in, 3, true), true);
    });
  }
}

// Without any edge, and wider than the kernels take.
TEST(MessageSums, OfNoEdgesAreZero) {
  Context context;
  const SegmentIndex none(nodes_of({}), 3);
  const auto zeros = [](const Shape& shape) { return host_tensor(shape, DataType::f32); };
  const Tensor y = message_sums(context, zeros({1, 0, 4}), zeros({1, 3, 4}), none, zeros({1, 3, 4}),
                                none, {zeros({4, 2}), zeros({2}), zeros({2}), zeros({2})});
  EXPECT_EQ(y.shape(), (Shape{1, 3, 2}));
  for (float v : y.span<float>()) EXPECT_EQ(v, 0);
}
TEST(MlpTail, TakesWideLayers) {
  Context context;
  const Tensor x = random_tensor({3, 300}, DataType::f64, 1),
               weight = random_tensor({300, 2}, DataType::f64, 2),
               bias = random_tensor({2}, DataType::f64, 3);
  EXPECT_LT(difference(mlp_tail(context, x, {weight, bias, {}, {}}),
                       mlp_tail_composite(context, x, {weight, bias, {}, {}})),
            1e-14);
}

TEST(MlpTail, SaysWhatDoesNotFit) {
  Context context;
  const auto zeros = [](const Shape& shape) { return host_tensor(shape, DataType::f32); };
  EXPECT_EQ(error_of([&] {
              mlp_tail(context, zeros({5, 4}), {zeros({3, 2}), zeros({2}), {}, {}});
            }),
            "mlp_tail: weight is [3, 2], bias [2] and x f32 [5, 4]; they must be [hidden, out], "
            "[out] and [..., hidden], of one type");
  const SegmentIndex two(nodes_of({0, 1}), 2);
  EXPECT_EQ(error_of([&] {
              message_sums(context, zeros({1, 2, 4}), zeros({1, 3, 4}), two, zeros({1, 2, 4}), two,
                           {zeros({4, 2}), zeros({2}), {}, {}});
            }),
            "message_sums: x is [1, 2, 4], senders [1, 3, 4] and receivers [1, 2, 4] for 2 edges "
            "from 2 to 2 nodes; they must agree in batch, channels and type");
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
                            tail_of(in, 3, true));
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
