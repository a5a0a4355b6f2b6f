#include "kernels/products/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

struct AttentionCase {
  int64_t batch, queries, keys, channels, heads;
};

class Attentions : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(Attentions, Checked) {
  const AttentionCase test = GetParam();
  const auto [batch, queries, keys, channels, heads] = test;
  check_op(
      {.op = [=](Context& c,
                 const auto& in) { return attention(c, in[0], in[1], in[2], test.heads, 0.7); },
       .composite =
           [=](Context& c, const auto& in) {
             return attention_composite(c, in[0], in[1], in[2], test.heads, 0.7);
           },
       .shapes = {{batch, queries, channels}, {batch, keys, channels}, {batch, keys, channels}},
       .low = -2,
       .high = 2,
       .bf16 = {true, true, true}});
}
INSTANTIATE_TEST_SUITE_P(
    OddSizes, Attentions,
    ::testing::Values(AttentionCase{1, 3, 2, 4, 2}, AttentionCase{2, 5, 1, 3, 1},
                      AttentionCase{1, 1, 7, 6, 3}, AttentionCase{2, 9, 4, 8, 1},
                      AttentionCase{1, 2, 3, 2, 2}, AttentionCase{1, 3, 66, 9, 1}));

// More of everything than the kernels take at a time, in all types of elements.
TEST(Attention, EqualsTheCompositeInManyTiles) {
  for (const AttentionCase& test :
       {AttentionCase{2, 150, 130, 34, 2}, AttentionCase{1, 49, 9, 200, 1}})
    for (DataType type : {DataType::f64, DataType::f32, DataType::bf16})
      for_each_device([&](Context& context) {
        const auto random = [&](int64_t rows, uint64_t stream) {
          return random_tensor({test.batch, rows, test.channels}, type, stream, -2, 2);
        };
        const std::vector<Tensor> given{random(test.queries, 1), random(test.keys, 2),
                                        random(test.keys, 3)};
        const Tensor dy = random(test.queries, 4);
        const auto outcome = [&](Context& c, DataType wide, const auto& op) {
          Tape tape(add);
          c.tape = &tape;
          std::vector<Tensor> watched;
          for (const Tensor& x : given)
            watched.push_back(tape.watch(to_device(converted(x, wide), c.device)));
          const Tensor y = op(c, watched[0], watched[1], watched[2], test.heads, 0.3);
          std::vector<Tensor> result =
              tape.gradient(c, {&y, 1}, {to_device(converted(dy, wide), c.device)}, watched);
          result.insert(result.begin(), y);
          c.tape = nullptr;
          return result;
        };
        Context plain;
        const auto expected = outcome(plain, DataType::f64, attention_composite);
        const auto found = outcome(context, type, attention);
        for (size_t i = 0; i < found.size(); ++i)
          EXPECT_LT(difference(host_copy(found[i]), expected[i]), type == DataType::f64 ? 1e-12
                                                                  : type == DataType::f32
                                                                      ? 1e-5
                                                                      : 1.0 / 256)
              << name_of(type) << " " << i;
      });
}

TEST(Attention, DoesNotDependOnThreads) {
  for (DataType type : {DataType::f32, DataType::bf16}) {
    const Tensor q = random_tensor({1, 600, 8}, type, 1), k = random_tensor({1, 50, 8}, type, 2);
    check_threads([&](Context& c) { return attention(c, q, k, k, 2, 1); }, type);
    for (size_t input : {0, 1})
      check_threads(
          [&](Context& c) {
            Tape tape(add);
            c.tape = &tape;
            const std::vector<Tensor> in{tape.watch(q), tape.watch(k)};
            const Tensor y = attention(c, in[0], in[1], in[1], 2, 1);
            const Tensor gradient = tape.gradient(c, {&y, 1}, {q}, in)[input];
            c.tape = nullptr;
            return gradient;
          },
          type);
  }
}

// Heads of more channels than the kernels take.
TEST(Attention, TakesWideHeads) {
  Context context;
  const Tensor q = random_tensor({1, 3, 300}, DataType::f64, 1),
               k = random_tensor({1, 5, 300}, DataType::f64, 2);
  EXPECT_LT(difference(attention(context, q, k, k, 1, 0.1),
                       attention_composite(context, q, k, k, 1, 0.1)),
            1e-12);
}

Tensor numbered(const Shape& shape, int k) {
  Tensor x = host_tensor(shape, DataType::f64);
  for (int i = 0; double& value : x.span<double>()) value = std::cos(0.7 * i++ + k);
  return x;
}

// torch.nn.functional.scaled_dot_product_attention in f64.
TEST(Attention, HasTheValuesOfTheReference) {
  expect_values(
      [](Context& c, const auto& in) { return attention(c, in[0], in[1], in[2], 2, 0.75); },
      {numbered({1, 3, 4}, 0), numbered({1, 2, 4}, 1), numbered({1, 2, 4}, 2)},
      numbered({1, 3, 4}, 3),
      {{-0.285149867789829, -0.484602161247883, -0.260174140508139, -0.0743526797042871,
        -0.0481184490251383, 0.274404444890586, -0.0702722519235491, 0.0601466180121639,
        -0.263836399891028, -0.416353559356968, 0.430437841110463, 0.414777929867788},
       {0.358621400787766, 0.0220762816343928, -0.0162107783690293, -0.0258990270798086,
        -0.39703983401294, -0.0244412719834573, 0.253677214345208, 0.405285477001457,
        0.409059231956864, 0.0251811709786178, -0.38090857084617, -0.608555688487083},
       {0.788700692647151, 0.792552056336148, 0.343550510820752, 0.00242433600184724,
        -0.788700692647151, -0.792552056336148, -0.343550510820752, -0.00242433600184725},
       {-0.967517314669914, -1.05670500997853, -0.108098561026172, 0.132954505276895,
        0.184324287690775, 0.192967278543537, -0.429954523496445, -0.0922681699247961}});
}

// Scores of any size: weights are those of the differences.
TEST(Attention, DoesNotOverflow) {
  const Tensor k = tensor_of({1, 2, 1}, {1, 1.0078125}), v = tensor_of({1, 2, 1}, {3, 5});
  expect_values(
      [](Context& c, const auto& in) { return attention(c, in[0], in[1], in[2], 1, 1000); },
      {tensor_of({1, 1, 1}, {0}), k, v}, tensor_of({1, 1, 1}, {1}),
      {{4}, {3.90625}, {0, 0}, {0.5, 0.5}});
  for_each_device([&](Context& context) {
    const auto on = [&](const Tensor& x) {
      return to_device(converted(x, DataType::f32), context.device);
    };
    const Tensor y =
        host_copy(attention(context, on(tensor_of({1, 1, 1}, {1000})), on(k), on(v), 1, 1000));
    EXPECT_EQ(y.data<float>()[0], 5);
  });
}

// Where all values are the same it does not matter who gets which weight.
TEST(Attention, DoesNotDependOnWeightsOfEqualValues) {
  const Tensor k = random_tensor({2, 6, 4}, DataType::f64, 2, -2, 2);
  Tensor v = host_tensor({2, 6, 4}, DataType::f64);
  for (int64_t i = 0; i < v.numel(); ++i) v.data<double>()[i] = 0.25 * static_cast<double>(i % 4);
  for (size_t input : {0, 1})
    expect_no_gradient(
        [](Context& c, const auto& in) { return attention(c, in[0], in[1], in[2], 2, 0.5); },
        {random_tensor({2, 5, 4}, DataType::f64, 1, -2, 2), k, v},
        random_tensor({2, 5, 4}, DataType::f64, 3), input, {true, true, true});
}

TEST(Attention, NamesWhatDoesNotFit) {
  Context context;
  context.path = "mit.0.0.attn";
  const auto zeros = [](const Shape& shape) { return host_tensor(shape, DataType::f32); };
  EXPECT_EQ(error_of([&] {
              attention(context, zeros({1, 4, 6}), zeros({1, 2, 6}), zeros({1, 3, 6}), 2, 1);
            }),
            "attention: q is f32 [1, 4, 6], k f32 [1, 2, 6] and v f32 [1, 3, 6] but they must be "
            "[batch, queries, channels] and twice [batch, keys, channels], all of one type [in "
            "mit.0.0.attn]");
  EXPECT_EQ(error_of([&] {
              attention(context, zeros({1, 4, 6}), zeros({1, 2, 6}), zeros({1, 2, 6}), 4, 1);
            }),
            "attention: 4 heads do not divide the 6 channels [in mit.0.0.attn]");
}

}  // namespace
}  // namespace py4cast::testing
