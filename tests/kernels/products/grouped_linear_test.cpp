#include "kernels/products/grouped_linear.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/parameters.h"
#include "engine/work_counter.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/views.h"
#include "kernels/products/linear.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

struct GroupCase {
  int64_t rows, other_rows, in, out;
};
class GroupedLinear : public ::testing::TestWithParam<GroupCase> {};

// Senders, receivers, and the receivers once more; then nodes that are both.
TEST_P(GroupedLinear, Checked) {
  const auto [rows, other_rows, in, out] = GetParam();
  for (const bool both : {false, true}) {
    const auto with = [out = out](auto products) {
      return [=](Context& c, const auto& v) {
        const size_t nodes = v.size() - 3;
        const Tensor &senders = v[0], &receivers = v[nodes - 1];
        const std::vector<Tensor> y = products(
            c, {{senders, v[nodes]}, {receivers, v[nodes + 1]}, {receivers, v[nodes + 2]}});
        std::vector<Tensor> flat;
        for (const Tensor& part : y) flat.push_back(reshape(c, part, {part.numel() / out, out}));
        return concat(c, flat, 0);
      };
    };
    std::vector<Shape> shapes(3, Shape{in, out});
    if (!both) shapes.insert(shapes.begin(), {2, other_rows, in});
    shapes.insert(shapes.begin(), {2, rows, in});
    std::vector<bool> bf16(both ? 1 : 2, true);
    bf16.resize(shapes.size());
    check_op({.op = with(grouped_linear),
              .composite = with([](Context& c, const std::vector<RowsAndWeight>& products) {
                std::vector<Tensor> y;
                for (const auto& [x, weight] : products) y.push_back(linear(c, x, weight));
                return y;
              }),
              .shapes = shapes,
              .bf16 = bf16,
              .bf16_roundings = 3});
  }
}
INSTANTIATE_TEST_SUITE_P(OddSizes, GroupedLinear,
                         ::testing::Values(GroupCase{1, 3, 1, 1}, GroupCase{5, 2, 3, 7},
                                           GroupCase{2, 18, 9, 5}, GroupCase{2, 1, 65, 3}));

// Several blocks and turns, each precision; whole numbers are exact, and tf32 has those up to 2048.
TEST(GroupedLinear, ManyRows) {
  for_each_device([](Context& context) {
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{64, 64}, {33, 20}})
      for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
        const DataType type = precision == Precision::bf16 ? DataType::bf16 : DataType::f32;
        Context own = context;
        own.precision = precision;
        std::vector<RowsAndWeight> products, expected;
        for (const int64_t rows : {1000, 81, 300}) {
          const auto whole = [&](const Shape& shape, uint64_t stream) {
            const Tensor x =
                random_tensor(shape, DataType::f64, 3 * stream + products.size(), 0, 2);
            for (double& value : x.span<double>()) value = std::floor(value);
            return x;
          };
          const Tensor x = whole({rows, in}, 0), weight = whole({in, out}, 1);
          expected.push_back({x, weight});
          products.push_back({to_device(converted(x, type), context.device),
                              to_device(converted(weight, DataType::f32), context.device)});
        }
        Context exact;
        const std::vector<Tensor> y = grouped_linear(own, products);
        for (size_t i = 0; i < y.size(); ++i)
          EXPECT_EQ(difference(host_copy(y[i]), linear(exact, expected[i].x, expected[i].weight)),
                    0)
              << i << " " << name_of(type);
      }
  });
}

// The nodes are used again behind, so that there are gradients to which those of the group are added in place when
// a tape ends, or which are those of its results, too; a weight is used twice, and there is a product of no rows.
// Whole numbers are exact.
TEST(GroupedLinear, AddsToTheGradientsSoFar) {
  const auto whole = [](const Shape& shape, uint64_t stream) {
    const Tensor x = random_tensor(shape, DataType::f64, stream, -2, 3);
    for (double& value : x.span<double>()) value = std::floor(value);
    return x;
  };
  const std::vector<Tensor> exact{whole({70, 6}, 0), whole({9, 6}, 1), whole({0, 6}, 2),
                                  whole({6, 6}, 3), whole({6, 6}, 4)};
  constexpr size_t nodes = 3;
  using Group = std::vector<std::pair<size_t, size_t>>;
  const auto gradients = [&](Context context, DataType type, bool last, const Group& group) {
    Tape tape(add);
    context.tape = &tape;
    std::vector<Tensor> v, used, ys, dys;
    for (const Tensor& x : exact)
      v.push_back(tape.watch(
          to_device(converted(x, v.size() < nodes ? type : compute_type(type)), context.device)));
    for (size_t i = 0; i < v.size(); ++i)
      used.push_back(i < nodes ? scale(context, v[i], 1) : v[i]);
    std::vector<RowsAndWeight> products;
    for (const auto& [x, weight] : group) products.push_back({used[x], used[weight]});
    ys = grouped_linear(context, products);
    for (size_t i = 0; i < nodes; ++i) ys.push_back(scale(context, used[i], 2));
    for (size_t i = 0; i < group.size(); ++i)
      ys.push_back(add(context, used[group[i].first], ys[i]));
    for (const Tensor& y : ys)
      dys.push_back(to_device(converted(whole(y.shape(), 5 + dys.size()), type), context.device));
    std::vector<Tensor> result =
        last ? tape.backward(context, ys, dys, {}, v) : tape.gradient(context, ys, dys, v);
    for (Tensor& x : result)
      if (x.defined()) x = host_copy(x);
    return result;
  };
  for (const Group& group : {Group{{0, 3}, {1, 4}, {1, 3}}, Group{{0, 3}, {2, 4}, {1, 3}}}) {
    const std::vector<Tensor> expected = gradients({}, DataType::f64, false, group);
    for_each_device([&](Context& context) {
      for (const DataType type : {DataType::f32, DataType::bf16})
        for (const bool last : {false, true}) {
          const std::vector<Tensor> found = gradients(context, type, last, group);
          for (size_t i = 0; i < found.size(); ++i) {
            if (exact[i].numel() == 0) continue;
            EXPECT_EQ(difference(found[i], expected[i]), 0) << i << " " << name_of(type) << last;
          }
        }
    });
  }
}

TEST(GroupedLinear, IsOneOpOnGpus) {
  for_each_device([](Context& context) {
    if (context.device.kind == DeviceKind::cpu) return;
    const auto zeros = [&](const Shape& shape) {
      return to_device(host_tensor(shape, DataType::f32), context.device);
    };
    WorkCounter counter;
    Context counted = context;
    counted.observer = &counter;
    grouped_linear(counted, {{zeros({9, 4}), zeros({4, 5})}, {zeros({2, 3}), zeros({3, 2})}});
    EXPECT_EQ(counter.total().calls, 1);
    EXPECT_EQ(counter.total().flops, 2 * (9 * 4 * 5 + 2 * 3 * 2));
  });
}

}  // namespace
}  // namespace py4cast::testing
