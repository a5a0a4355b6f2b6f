// What mlp_test.cpp does not reach on a GPU: the widths for which its kernels are made, every precision,
// several tiles and parts.
#if PY4CAST_CUDA
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/views.h"
#include "kernels/products/mlp.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

struct WarpCase {
  int64_t in, hidden, out;  // in 0: no first layer
  bool norm;
  bool along, sorted, mean;  // edges of a graph, else rows
  bool update = false;       // the rows are added to others
};

// 500 edges in two samples: a node with many, others with few, and nodes without, the last ones too.
constexpr int64_t case_edges = 500, case_senders = 40, case_receivers = 120;
SegmentIndex case_ends(bool senders, bool sorted) {
  const Tensor nodes = host_tensor({case_edges}, DataType::i32);
  const std::span<int32_t> values = nodes.span<int32_t>();
  for (int32_t e = 0; e < case_edges; ++e)
    values[static_cast<size_t>(e)] = senders   ? e * 7 % static_cast<int32_t>(case_senders)
                                     : e < 150 ? 3
                                               : 5 + e * e % 110;
  if (sorted) std::sort(values.begin(), values.end());
  return SegmentIndex(nodes, senders ? case_senders : case_receivers);
}

// x, values of senders and receivers, and weights, in f64.
std::vector<Tensor> case_inputs(const WarpCase& c) {
  const int64_t features = c.in ? c.in : c.hidden;
  std::vector<Shape> shapes{{2, case_edges, features},
                            {2, c.along ? case_senders : case_edges, c.hidden},
                            {2, c.along ? case_receivers : case_edges, c.along ? c.hidden : c.out},
                            {c.hidden, c.out},
                            {c.out}};
  if (c.norm) shapes.insert(shapes.end(), 2, Shape{c.out});
  if (c.in) shapes.insert(shapes.end(), {{c.in, c.hidden}, {c.hidden}});
  std::vector<Tensor> result;
  for (const Shape& shape : shapes) {
    const double most =
        result.size() > 2 && shape.rank() == 2 ? 2 / std::sqrt(static_cast<double>(shape[0])) : 1;
    // Of bf16, so that every precision has the same.
    result.push_back(
        converted(random_tensor(shape, DataType::bf16, result.size(), -most, most), DataType::f64));
  }
  return result;
}

// The result and the gradients of all inputs.
std::vector<Tensor> case_outcome(Context context, const WarpCase& c, bool composite,
                                 const std::vector<Tensor>& in, const Tensor& dy) {
  Tape tape(add);
  context.tape = &tape;
  std::vector<Tensor> x;
  for (const Tensor& tensor : in) x.push_back(tape.watch(tensor));
  MlpWeights w{.last = x[3], .last_bias = x[4]};
  if (c.norm) {
    w.gamma = x[5];
    w.beta = x[6];
  }
  if (c.in) {
    w.first = x[x.size() - 2];
    w.first_bias = x[x.size() - 1];
  }
  const SegmentIndex from = case_ends(true, false).on(context.device),
                     to = case_ends(false, c.sorted).on(context.device);
  const auto result_of = [&]() -> Tensor {
    if (!c.along)
      return c.update
                 ? (composite ? mlp_update_composite : mlp_update)(context, x[0], x[1], x[2], w)
                 : (composite ? mlp_composite : mlp)(context, x[0], w);
    if (!c.update)
      return composite ? message_sums_composite(context, x[0], x[1], from, x[2], to, w, c.mean)
                       : message_sums(context, x[0], x[1], from, x[2], to, w, c.mean);
    const MessageUpdate both = (composite ? message_update_composite : message_update)(
        context, x[0], x[1], from, x[2], to, w, c.mean);
    return concat(context, {both.sums, both.rows}, 1);
  };
  const Tensor y = result_of();
  std::vector<Tensor> result = tape.gradient(context, {&y, 1}, {dy}, x);
  result.push_back(y);
  for (Tensor& tensor : result)
    if (tensor.defined()) tensor = host_copy(tensor);
  return result;
}

void check_case(const WarpCase& c, Precision precision, double tolerance) {
  const DataType type = precision == Precision::bf16 ? DataType::bf16 : DataType::f32;
  const std::vector<Tensor> exact = case_inputs(c);
  const Tensor slopes = converted(
      random_tensor(
          {2, (c.along ? case_receivers : 0) + (c.along && !c.update ? 0 : case_edges), c.out},
          DataType::bf16, 99),
      DataType::f64);
  const std::vector<Tensor> expected = case_outcome({}, c, true, exact, slopes);
  std::vector<Tensor> first;
  for_each_device([&](Context& given) {
    if (given.device.kind == DeviceKind::cpu) return;
    Context context = given;
    context.precision = precision;
    const auto placed = [&](const Tensor& x, DataType as) {
      return to_device(converted(x, as), context.device);
    };
    std::vector<Tensor> inputs;
    for (const Tensor& x : exact)
      inputs.push_back(placed(x, inputs.size() < 3 ? type : DataType::f32));
    const std::vector<Tensor> found = case_outcome(context, c, false, inputs, placed(slopes, type));
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].defined(), expected[i].defined()) << i;
      if (!found[i].defined()) continue;
      EXPECT_LT(difference(found[i], expected[i]), tolerance) << "result " << i;
      if (!first.empty()) {
        EXPECT_EQ(std::memcmp(found[i].raw(), first[i].raw(), found[i].bytes()), 0) << i;
      }
    }
    if (first.empty()) first = found;
  });
}

class WarpMlps : public ::testing::TestWithParam<WarpCase> {};

// Against f64, and the same bits in each order of threads.
TEST_P(WarpMlps, InEveryPrecision) {
  check_case(GetParam(), Precision::fp32, 2e-5);
  check_case(GetParam(), Precision::tf32, 4e-3);
  check_case(GetParam(), Precision::bf16, 2e-2);
}
INSTANTIATE_TEST_SUITE_P(Cases, WarpMlps,
                         ::testing::Values(WarpCase{64, 64, 64, true, true, true, false},
                                           WarpCase{64, 64, 64, true, true, false, true},
                                           WarpCase{0, 64, 64, true, true, false, false},
                                           WarpCase{0, 64, 64, true, false, true, false},
                                           WarpCase{3, 64, 64, true, false, true, false},
                                           WarpCase{64, 64, 21, false, false, true, false},
                                           WarpCase{70, 64, 64, true, false, true, false},
                                           WarpCase{20, 33, 40, true, true, false, true},
                                           WarpCase{48, 64, 64, false, true, true, false},
                                           WarpCase{64, 64, 64, true, true, true, false, true},
                                           WarpCase{64, 64, 64, true, true, false, true, true},
                                           WarpCase{40, 33, 40, true, true, false, false, true},
                                           WarpCase{64, 64, 64, true, false, true, false, true},
                                           WarpCase{20, 33, 40, false, false, true, false, true}));

}  // namespace
}  // namespace py4cast::testing
#endif
