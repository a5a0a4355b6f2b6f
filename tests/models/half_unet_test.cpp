// What HalfUNet alone has.
#include "models/half_unet.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/work_counter.h"

namespace py4cast {
namespace {

// Parameter counts of the specification, at full size.
TEST(HalfUNet, ParameterCounts) {
  const auto count = [](int64_t in, int64_t out, const char* settings) {
    ParameterSlab slab;
    make_model(built_in_models(), "half_unet", Builder(slab), field_ports(512, 512, in, out),
               Json::parse(settings), false);
    return slab.count();
  };
  EXPECT_EQ(count(2, 1, R"({"num_filters": 32})"), 102752);
  EXPECT_EQ(count(67, 21, R"({})"), 446976);
  EXPECT_EQ(count(67, 21, R"({"num_filters": 128, "use_ghost": true})"), 862272);
  EXPECT_EQ(count(150, 69, R"({"num_filters": 128})"), 1806720);
}

// A dry forward pass tells the arithmetic of every convolution, and takes no memory.
TEST(HalfUNet, ToldArithmeticIsThatOfItsConvolutions) {
  constexpr int64_t side = 512, inputs = 67, outputs = 21;
  const auto count = [](int64_t filters, bool ghost) {
    MemoryLedger ledger;
    ParameterSlab slab;
    const auto model = make_model(built_in_models(), "halfunet", Builder(slab),
                                  field_ports(side, side, inputs, outputs),
                                  Json{{"num_filters", filters}, {"use_ghost", ghost}}, false);
    slab.allocate(Device{}, &ledger, false);
    const size_t parameters = ledger.peak_bytes(Space::host);
    StepArena arena(ledger);
    WorkCounter counter;
    Context context;
    context.arena = &arena;
    context.observer = &counter;
    const StepPlan& plan = arena.plan("forward", [&] {
      (*model)(context, context.empty({1, side, side, inputs}, DataType::f32));
    });
    EXPECT_GT(plan.bytes, size_t{side * side * inputs * 4});
    EXPECT_EQ(ledger.peak_bytes(Space::host), parameters);
    EXPECT_GT(counter.total().flops, counter.by_op().at("convolution").flops);
    return counter.by_op().at("convolution");
  };
  // Two stages of 3 x 3 elements at each of five sizes, and in the decoder; a ghost stage makes half
  // of its channels by a second convolution that keeps them apart. Last a layer of one element.
  const auto expected = [](int64_t filters, bool ghost) {
    const auto stage = [&](int64_t in) {
      return ghost ? 9 * in * filters / 2 + 9 * filters / 2 : 9 * in * filters;
    };
    int64_t operations = 0;
    for (int64_t points = side * side, level = 0; level < 5; ++level, points /= 4)
      operations += 2 * points * (stage(level ? filters : inputs) + stage(filters));
    return operations + 2 * side * side * (2 * stage(filters) + filters * outputs);
  };
  const Work plain = count(64, false), ghost = count(128, true);
  EXPECT_EQ(plain.calls, 13);
  EXPECT_EQ(ghost.calls, 25);
  EXPECT_EQ(plain.flops, static_cast<double>(expected(64, false)));
  EXPECT_EQ(ghost.flops, static_cast<double>(expected(128, true)));
  EXPECT_NEAR(plain.flops, 91.8e9, 0.05e9);
  EXPECT_NEAR(ghost.flops, 164.7e9, 0.05e9);
}

std::string message(const char* settings, const Ports& ports = field_ports(64, 64, 3, 1)) {
  try {
    ParameterSlab slab;
    make_model(built_in_models(), "HALF-UNet", Builder(slab), ports, Json::parse(settings), false);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(HalfUNet, RefusesInWords) {
  EXPECT_EQ(message(R"({"num_filter": 3})"),
            "halfunet: unknown key 'model.settings.num_filter'; did you mean "
            "'model.settings.num_filters'?");
  EXPECT_EQ(message(R"({"num_filters": "many"})"),
            "halfunet: 'model.settings.num_filters' must be an integer, not 'many'");
  EXPECT_EQ(message(R"({"num_filters": 2.5})"),
            "halfunet: 'model.settings.num_filters' must be an integer, not 2.5");
  EXPECT_EQ(message(R"({"num_filters": 0})"),
            "halfunet: 'model.settings.num_filters' must be at least 1, not 0");
  EXPECT_EQ(message(R"({"num_filters": 3, "use_ghost": true})"),
            "halfunet: 'model.settings.num_filters' must be even for ghost modules, not 3");
  EXPECT_EQ(message(R"({"bias": 1})"),
            "halfunet: 'model.settings.bias' must be true or false, not 1");
  EXPECT_NE(message(R"({"last_activation": "Sigmoyd"})").find("Sigmoid"), std::string::npos);
  EXPECT_EQ(message(R"({"num_filters": 4})", field_ports(70, 64, 3, 1)),
            "halfunet: height and width must be multiples of 16, but x is [70, 64, 3]; "
            "model.autopad pads any size");
  EXPECT_EQ(message("{}", {.inputs = {{"x", {64, 64, 3}}, {"time", {4}}},
                           .outputs = {{"y", {64, 64, 1}}}}),
            "halfunet: takes one input 'x' and gives one output 'y', but the data have time [4], x "
            "[64, 64, 3] and y [64, 64, 1]");
  EXPECT_EQ(message("{}", {.inputs = {{"x", {64, 3}}}, .outputs = {{"y", {64, 1}}}}),
            "halfunet: takes and gives fields of 2 axes in space and one of features, of one size, "
            "but x is [64, 3] and y is [64, 1]");
}

}  // namespace
}  // namespace py4cast
