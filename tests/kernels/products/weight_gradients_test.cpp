#if PY4CAST_CUDA
#include "kernels/products/weight_gradients.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/cuda.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/products/linear.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

struct SmallSizes {
  int64_t rows, in, out;
};

// Products of whole numbers are exact, so that any order of sums gives them: several parts of rows, odd
// sizes, weights that are parts of a parameter, one that is used twice, and types by turns.
TEST(WeightGradients, AreAddedToTheParameters) {
  const std::vector<SmallSizes> all{
      {7, 3, 5}, {1300, 64, 64}, {513, 64, 21}, {64, 20, 64}, {100, 33, 40}};
  for_each_device([&](Context& context) {
    if (context.device.kind == DeviceKind::cpu) return;
    using enum DataType;
    for (const auto& [first_type, second_type] : {std::pair(f32, f32), {bf16, bf16}, {f32, bf16}}) {
      SCOPED_TRACE(::testing::Message() << name_of(first_type) << " " << name_of(second_type));
      ParameterSlab slab;
      for (size_t i = 0; i < all.size(); ++i)
        slab.add({.name = "w" + std::to_string(i), .file_shape = {2 * all[i].in, all[i].out}});
      slab.allocate(context.device, context.ledger, true);
      fill_bytes(slab.gradients(), 0, context.stream);
      WeightGradients gradients(context, slab, slab.gradients());
      std::vector<Tensor> expected;
      Context cpu;
      for (size_t i = 0; i < all.size(); ++i) {
        const auto [rows, in, out] = all[i];
        const DataType type = i % 2 ? second_type : first_type;
        const Parameter& parameter = slab.parameters()[i];
        const Tensor lower = parameter.value().viewed({in, out}, {out, 1}, in * out);
        Tensor sum = host_tensor({2 * in, out}, DataType::f64);
        for (uint64_t use = 0; use < 1 + (i == 1); ++use) {
          const auto numbers = [&](int64_t columns, uint64_t stream) {
            const Tensor x = random_tensor({rows, columns}, DataType::f64, 10 * i + stream, -4, 4);
            for (double& element : x.span<double>()) element = std::round(element);
            return x;
          };
          const Tensor x = numbers(in, 2 * use), dy = numbers(out, 2 * use + 1);
          EXPECT_TRUE(gradients.take(lower, to_device(converted(x, type), context.device),
                                     to_device(converted(dy, type), context.device)));
          const Tensor product = linear_weight_gradient(cpu, x, dy);
          for (int64_t k = 0; k < product.numel(); ++k)
            sum.data<double>()[in * out + k] += product.data<double>()[k];
        }
        expected.push_back(sum);
      }
      const Tensor other = to_device(host_tensor({3, 5}, DataType::f32), context.device);
      EXPECT_FALSE(gradients.take(other, to_device(host_tensor({7, 3}, first_type), context.device),
                                  to_device(host_tensor({7, 5}, first_type), context.device)));
      gradients.finish();
      for (size_t i = 0; i < all.size(); ++i)
        EXPECT_EQ(difference(host_copy(slab.parameters()[i].gradient()), expected[i]), 0) << i;
    }
  });
}

// Of a matrix and of vectors between other rows of each part, of more sums than one launch takes; one weight is
// asked for twice. Whole numbers, as above.
TEST(WeightGradients, SumsOfPartsAreAddedToTheParameters) {
  for_each_device([](Context& context) {
    if (context.device.kind == DeviceKind::cpu) return;
    constexpr int64_t count = 30, parts = 19, part_rows = 20;
    ParameterSlab slab;
    for (int64_t i = 0; i < count; ++i) {
      slab.add({.name = "w" + std::to_string(i), .file_shape = {7, 33 + i}});
      slab.add({.name = "a" + std::to_string(i), .file_shape = {64}});
      slab.add({.name = "b" + std::to_string(i), .file_shape = {5}});
    }
    slab.allocate(context.device, context.ledger, true);
    fill_bytes(slab.gradients(), 0, context.stream);
    WeightGradients gradients(context, slab, slab.gradients());
    std::vector<Tensor> partials;
    constexpr int64_t first_rows[] = {3, 0, 19};
    for (size_t i = 0; i < slab.parameters().size(); i += 3) {
      const Tensor partial = random_tensor({parts, part_rows, 64}, DataType::f32, i, -4, 4);
      for (float& number : partial.span<float>()) number = std::round(number);
      partials.push_back(partial);
      std::vector<PartSum> sums;
      for (size_t k = 0; k < 3; ++k)
        sums.push_back({to_device(partial, context.device), first_rows[k],
                        gradients.of(slab.parameters()[i + k].value())});
      for (int use = 0; use < 1 + (i == 3); ++use) gradients.take(sums);
    }
    gradients.finish();
    for (size_t i = 0; i < slab.parameters().size(); ++i) {
      const Tensor found = host_copy(slab.parameters()[i].gradient());
      const int64_t columns = found.shape().back();
      for (int64_t at = 0; at < found.numel(); ++at) {
        double expected = 0;
        for (int64_t part = 0; part < parts; ++part)
          expected +=
              partials[i / 3]
                  .data<float>()[(part * part_rows + first_rows[i % 3] + at / columns) * 64 +
                                 at % columns];
        ASSERT_EQ(found.data<float>()[at], i / 3 == 1 ? 2 * expected : expected) << i << " " << at;
      }
    }
    // Not added.
    const Tensor to = to_device(random_tensor({5}, DataType::f32, 0), context.device);
    sum_parts(context, {{to_device(partials[0], context.device), 19, to}}, false);
    EXPECT_EQ(difference(host_copy(to), host_copy(slab.parameters()[2].gradient())), 0);
  });
}

}  // namespace
}  // namespace py4cast::testing
#endif
