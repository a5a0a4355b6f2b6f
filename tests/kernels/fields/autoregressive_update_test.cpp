#include "kernels/fields/autoregressive_update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/parameters.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

// 0, 1, a blend, and round again; [points, 1].
Tensor border(int64_t points, DataType type) {
  Tensor mask = host_tensor({points, 1}, DataType::f64);
  for (int64_t s = 0; s < points; ++s)
    mask.data<double>()[s] = static_cast<double>(s % 3) * (s % 3 == 1 ? 1 : 0.125);
  return converted(mask, type);
}

using Update = Tensor (*)(Context&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                          const Tensor&, const Tensor&);
Tensor fused(Context& context, const Tensor& last, const Tensor& y, const Tensor& scale,
             const Tensor& shift, const Tensor& truth, const Tensor& frame) {
  return scaled_update(context, last, y, scale, shift, truth, frame);
}

Op with(Update update, const Shape& shape, bool with_truth) {
  return [=](Context& c, const std::vector<Tensor>& in) {
    const DataType type = in[0].type();
    const Tensor scale = random_tensor({shape.back()}, type, 31, 0.5, 2),
                 shift = random_tensor({shape.back()}, type, 32);
    return update(c, in[0], in[1], to_device(scale, c.device), to_device(shift, c.device),
                  with_truth ? in[2] : Tensor(),
                  with_truth ? to_device(border(shape[-2], type), c.device) : Tensor());
  };
}

TEST(ScaledUpdate, Checked) {
  for (const Shape& shape : {Shape{2, 7, 3}, Shape{1, 2, 5, 1}, Shape{4, 17}, Shape{2, 5, 8}}) {
    check_op({.op = with(fused, shape, true),
              .composite = with(scaled_update_composite, shape, true),
              .shapes = {shape, shape, shape}});
    check_op({.op = with(fused, shape, false),
              .composite = with(scaled_update_composite, shape, false),
              .shapes = {shape, shape}});
  }
}

// Values of the formula by hand: two points, inside and half on the border, two features.
TEST(ScaledUpdate, IsTheFormula) {
  const auto filled = [](const Shape& shape, std::vector<float> values) {
    const Tensor result = host_tensor(shape, DataType::f32);
    std::ranges::copy(values, result.span<float>().begin());
    return result;
  };
  const Tensor last = filled({2, 2}, {1, 2, 3, 4}), y = filled({2, 2}, {1, -1, 0.5, 2}),
               scale = filled({2}, {2, 4}), shift = filled({2}, {0.25, -0.5}),
               truth = filled({2, 2}, {9, 9, 5, -1}), frame = filled({2, 1}, {0, 0.5}),
               dnext = filled({2, 2}, {1, 2, 4, -8});
  for_each_device([&](Context& context) {
    const auto here = [&](const Tensor& x) { return to_device(x, context.device); };
    const auto expect = [](const Tensor& found, std::vector<float> values) {
      const Tensor on_host = host_copy(found);
      for (size_t i = 0; i < values.size(); ++i)
        EXPECT_EQ(on_host.span<float>()[i], values[i]) << i;
    };
    Tape tape(add);
    Context recorded = context;
    recorded.tape = &tape;
    const std::vector<Tensor> leaves{tape.watch(here(last)), tape.watch(here(y)),
                                     tape.watch(here(truth))};
    const Tensor next = scaled_update(recorded, leaves[0], leaves[1], here(scale), here(shift),
                                      leaves[2], here(frame));
    expect(next, {3.25, -2.5, 0.5F * 5 + 0.5F * 4.25F, 0.5F * -1 + 0.5F * 11.5F});
    const Gradients gradients = tape.backward(
        recorded, {&next, 1}, {here(dnext)}, [](Context&, const Parameter&, Tensor) {}, leaves);
    expect(gradients[0], {1, 2, 2, -4});
    expect(gradients[1], {2, 8, 4, -16});
    expect(gradients[2], {0, 0, 2, -4});
  });
}

TEST(ScaledUpdate, MissingTruthOutsideTheBorderDoesNotMatter) {
  const Tensor last = random_tensor({3, 2}, DataType::f32, 1),
               y = random_tensor({3, 2}, DataType::f32, 2),
               truth = random_tensor({3, 2}, DataType::f32, 3),
               one = random_tensor({2}, DataType::f32, 4),
               frame = host_tensor({3, 1}, DataType::f32);
  frame.data<float>()[1] = 1;
  const float missing = std::numeric_limits<float>::quiet_NaN();
  truth.data<float>()[0] = missing;  // inside
  last.data<float>()[2] = missing;   // on the border
  for_each_device([&](Context& context) {
    const auto here = [&](const Tensor& x) { return to_device(x, context.device); };
    const Tensor next = host_copy(scaled_update(context, here(last), here(y), here(one), here(one),
                                                here(truth), here(frame)));
    for (float value : next.span<float>()) EXPECT_TRUE(std::isfinite(value));
    EXPECT_EQ(next.data<float>()[2], truth.data<float>()[2]);
  });
}

TEST(ScaledUpdate, TakesOverTheOutputOfTheNetwork) {
  Context context;
  const Tensor last = random_tensor({4, 2}, DataType::f32, 1),
               one = random_tensor({2}, DataType::f32, 4);
  Tensor y = random_tensor({4, 2}, DataType::f32, 2);
  const std::byte* memory = y.raw();
  EXPECT_EQ(scaled_update(context, last, std::move(y), one, one, {}, {}).raw(), memory);
}

TEST(ScaledUpdate, NamesWhatDoesNotFit) {
  Context context;
  const Tensor x = host_tensor({4, 5, 3}, DataType::f32), w = host_tensor({3}, DataType::f32),
               frame = host_tensor({4, 4, 1}, DataType::f32);
  EXPECT_EQ(error_of([&] { scaled_update(context, x, x, w, w, x, frame); }),
            "scaled_update: border is f32 [4, 4, 1] but last is f32 [4, 5, 3]; border has its "
            "point axes and 1");
}

TEST(ResidualUpdate, Checked) {
  check_op({.op = [](Context& c, const auto& in) { return residual_update(c, in[0], in[1]); },
            .shapes = {{2, 3, 5}, {2, 3, 5}}});
}

}  // namespace
}  // namespace py4cast::testing
