#include "kernels/ops/gather.h"

#include <gtest/gtest.h>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/views.h"
#include "kernels/products/linear.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor indices(const std::vector<int64_t>& values, DataType type = DataType::i64) {
  Tensor result = host_tensor({static_cast<int64_t>(values.size())}, DataType::i64);
  std::copy(values.begin(), values.end(), result.data<int64_t>());
  return type == DataType::i64 ? result : converted(result, type);
}

// The relation as a dense matrix: [nodes, edges], 1 where the edge belongs to the node, or 1 /
// count.
Tensor relation(const SegmentIndex& index, DataType type, bool mean) {
  Tensor matrix = host_tensor({index.nodes(), index.edges()}, DataType::f64);
  const auto offsets = index.offsets().span<int32_t>();
  for (int64_t e = 0; e < index.edges(); ++e) {
    const auto n = static_cast<size_t>(index.index().data<int32_t>()[e]);
    matrix.data<double>()[static_cast<int64_t>(n) * index.edges() + e] =
        mean ? 1.0 / (offsets[n + 1] - offsets[n]) : 1;
  }
  return converted(matrix, type);
}

// Rows of x [batch, rows, channels] combined by a matrix: out[b, i, c] = sum_r x[b, r, c] m[r, i].
Tensor combined(Context& c, const Tensor& x, const Tensor& matrix) {
  return transpose(c, linear(c, transpose(c, x, {0, 2, 1}), matrix), {0, 2, 1});
}

class Relations : public ::testing::TestWithParam<std::vector<int64_t>> {};

TEST_P(Relations, Checked) {
  const int64_t nodes = 5, edges = static_cast<int64_t>(GetParam().size());
  const SegmentIndex index(indices(GetParam()), nodes);
#if PY4CAST_CUDA
  const SegmentIndex on_gpu = index.on(test_device());
#else
  const SegmentIndex& on_gpu = index;
#endif
  const auto of = [&](const Context& c) -> const SegmentIndex& {
    return c.device.kind == DeviceKind::cpu ? index : on_gpu;
  };
  for (int64_t channels : {1, 3, 19, 16}) {
    check_op({.op = [&](Context& c, const auto& in) { return gather(c, in[0], of(c)); },
              .composite =
                  [&](Context& c, const auto& in) {
                    return combined(c, in[0], relation(index, in[0].type(), false));
                  },
              .shapes = {{2, nodes, channels}},
              .bf16 = {true}});
    for (bool mean : {false, true})
      check_op({.op =
                    [&, mean](Context& c, const auto& in) {
                      return mean ? segment_mean(c, in[0], of(c)) : segment_sum(c, in[0], of(c));
                    },
                .composite =
                    [&, mean](Context& c, const auto& in) {
                      return combined(c, in[0],
                                      transpose(c, relation(index, in[0].type(), mean), {1, 0}));
                    },
                .shapes = {{2, edges, channels}},
                .bf16 = {true}});
  }
}
INSTANTIATE_TEST_SUITE_P(SortedAndNot, Relations,
                         ::testing::Values(std::vector<int64_t>{0, 0, 1, 3, 3, 3, 4},
                                           std::vector<int64_t>{4, 0, 3, 0, 1, 3, 3},
                                           std::vector<int64_t>{2}));

// An edge sees its two nodes: the sum of two gathers and itself.
TEST_P(Relations, WithBothEnds) {
  const auto edges = static_cast<int64_t>(GetParam().size());
  std::vector<int64_t> back(GetParam().rbegin(), GetParam().rend());
  for (int64_t& node : back) node = node * 3 % 7;
  const SegmentIndex from(indices(GetParam()), 5), to(indices(back), 7);
  for (int64_t channels : {1, 3, 19, 16})
    check_op({.op =
                  [&](Context& c, const auto& in) {
                    return edge_sum(c, in[0], in[1], from.on(c.device), in[2], to.on(c.device));
                  },
              .composite =
                  [&](Context& c, const auto& in) {
                    const auto at = [&](const Tensor& nodes, const SegmentIndex& index) {
                      return combined(c, nodes, relation(index, nodes.type(), false));
                    };
                    return add(c, in[0], add(c, at(in[1], from), at(in[2], to)));
                  },
              .shapes = {{2, edges, channels}, {2, 5, channels}, {2, 7, channels}},
              .bf16 = {true, true, true}});
}

// By hand: edges of the nodes 2, 0, 2; node 1 has none.
TEST(SegmentIndex, ValuesGoAlongTheEdges) {
  const SegmentIndex index(indices({2, 0, 2}), 3);
  const Tensor nodes = tensor_of({1, 3, 2}, {1, 2, 3, 4, 5, 6}),
               edges = tensor_of({1, 3, 2}, {10, 20, 30, 40, 50, 60});
  const auto with = [&](auto op) {
    return [&index, op](Context& c, const auto& in) { return op(c, in[0], index.on(c.device)); };
  };
  expect_values(with(gather), {nodes}, edges, {{5, 6, 1, 2, 5, 6}, {30, 40, 0, 0, 60, 80}});
  expect_values(with(segment_sum), {edges}, nodes, {{30, 40, 0, 0, 60, 80}, {5, 6, 1, 2, 5, 6}});
  expect_values(with(segment_mean), {edges}, nodes,
                {{30, 40, 0, 0, 30, 40}, {2.5, 3, 1, 2, 2.5, 3}});
}

TEST(SegmentIndex, KnowsTheEdgesOfEachNode) {
  for (DataType type : {DataType::i32, DataType::i64}) {
    const SegmentIndex sorted(indices({0, 0, 2}, type), 4), mixed(indices({2, 0, 2, 1}, type), 3);
    EXPECT_TRUE(sorted.sorted());
    EXPECT_EQ(sorted.nodes(), 4);
    EXPECT_FALSE(mixed.sorted());
    const auto order = mixed.order().span<int32_t>(), offsets = mixed.offsets().span<int32_t>();
    EXPECT_EQ(std::vector<int32_t>(order.begin(), order.end()), (std::vector<int32_t>{1, 3, 0, 2}));
    EXPECT_EQ(std::vector<int32_t>(offsets.begin(), offsets.end()),
              (std::vector<int32_t>{0, 1, 2, 4}));
  }
}

TEST(SegmentIndex, ManyEdges) {
  const int64_t nodes = 997, edges = 12345, channels = 67;
  std::vector<int64_t> nodes_of;
  for (int64_t e = 0; e < edges; ++e) nodes_of.push_back(e * 7919 % nodes * (e % 3 > 0));
  const SegmentIndex index(indices(nodes_of), nodes);
  const Tensor x = random_tensor({1, edges, channels}, DataType::f32, 1);
  Tensor expected = host_tensor({1, nodes, channels}, DataType::f64);
  for (int64_t e = 0; e < edges; ++e)
    for (int64_t c = 0; c < channels; ++c)
      expected.data<double>()[nodes_of[static_cast<size_t>(e)] * channels + c] +=
          static_cast<double>(x.data<float>()[e * channels + c]);
  for_each_device([&](Context& context) {
    const Tensor sums =
        segment_sum(context, to_device(x, context.device), index.on(context.device));
    EXPECT_LT(difference(host_copy(sums), expected), 2e-6);
  });
  check_threads([&](Context& c) { return segment_sum(c, x, index); });
}

TEST(SegmentIndex, NamesWhatDoesNotFit) {
  EXPECT_EQ(error_of([] {
              SegmentIndex(indices({0, 5, 1}), 5, "grid to mesh receivers");
            }),
            "grid to mesh receivers: edge 1 has node 5 but there are 5 nodes");
  EXPECT_EQ(error_of([] {
              SegmentIndex(indices({0, -1}), 5);
            }),
            "index: edge 1 has node -1 but there are 5 nodes");
  EXPECT_EQ(error_of([] {
              SegmentIndex(host_tensor({2, 2}, DataType::i32), 5);
            }),
            "index is i32 [2, 2] but must be i32 or i64 [edges]");
  const SegmentIndex index(indices({0, 1, 1}), 2);
  Context context;
  EXPECT_EQ(
      error_of([&] {
        const auto rows = [](int64_t count) { return host_tensor({1, count, 8}, DataType::f32); };
        edge_sum(context, rows(3), rows(2), index, host_tensor({1, 2, 4}, DataType::f32), index);
      }),
      "edge_sum: edges are [1, 3, 8], senders [1, 2, 8] and receivers [1, 2, 4]; they must "
      "agree in batch, channels and type");
  const Tensor x = host_tensor({1, 4, 8}, DataType::f32);
  EXPECT_EQ(error_of([&] { gather(context, x, index); }),
            "gather: x is [1, 4, 8] but must be [batch, 2, channels]: the index has 2 nodes");
  EXPECT_EQ(error_of([&] { segment_sum(context, x, index); }),
            "segment_sum: x is [1, 4, 8] but must be [batch, 3, channels]: the index has 3 edges");
  context.device = {DeviceKind::cuda, 0};
  EXPECT_EQ(error_of([&] {
              gather(context, host_tensor({1, 2, 8}, DataType::f32), index);
            }),
            "gather: the index is in the memory of cpu, not of cuda:0");
}

}  // namespace
}  // namespace py4cast::testing
