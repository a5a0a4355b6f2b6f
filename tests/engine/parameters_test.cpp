#include "engine/parameters.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/error.h"

namespace py4cast {
namespace {

struct Network {
  ParameterSlab slab;
  const Parameter* weight = &slab.add({"conv.weight", {3, 2, 5, 7}, {2, 3, 1, 0}, {0, 0.5}});
  const Parameter* count = &slab.add({"norm.count", {}, {}, {4, 0}, false, DataType::i64, true});
  const Parameter* bias = &slab.add({"conv.bias", {3}, {}, {1, 0.1}});
  Network() {
    slab.allocate(Device{}, nullptr, true);
    slab.initialise(RandomKey{42, 0});
  }
};

// numpy.array(bits, "u2").view("f2")
TEST(Parameters, HalvesAreThoseOfNumPy) {
  const std::pair<uint16_t, float> halves[] = {
      {0x0001, 0x1p-24f}, {0x03ff, 0x1.ff8p-15f}, {0x0400, 0x1p-14f},    {0x3555, 0x1.554p-2f},
      {0x3c00, 1},        {0xc000, -2},           {0x7bff, 0x1.ffcp15f}, {0x8001, -0x1p-24f}};
  for (const auto& [bits, value] : halves) EXPECT_EQ(float_of_half(bits), value) << bits;
  EXPECT_EQ(float_of_half(0xfc00), -INFINITY);
  EXPECT_TRUE(std::isnan(float_of_half(0x7e00)));
}

// As a module of Lightning, or a parallel one, holds a network.
TEST(ParameterSlab, NamesMayStandBelowAModule) {
  Network network, other;
  const auto state = network.slab.state();
  std::map<std::string, Tensor> below = {{"loss.weights", host_tensor({3}, DataType::f32)}};
  for (const auto& [name, tensor] : state) below["module.model." + name] = tensor;
  other.slab.values().span<float>()[0] = 7;
  other.slab.load(other.slab.below_a_module(below), "file");
  EXPECT_EQ(other.slab.values().span<float>()[0], network.slab.values().span<float>()[0]);
  below.erase("module.model.conv.bias");
  EXPECT_EQ(other.slab.below_a_module(below).size(), below.size());
}

TEST(ParameterSlab, KeepsFileLayoutAndOurs) {
  Network network;
  EXPECT_EQ(network.weight->shape(), (Shape{5, 7, 2, 3}));
  const auto state = network.slab.state();
  ASSERT_EQ(state.size(), 3u);
  EXPECT_EQ(state[0].second.shape(), (Shape{3, 2, 5, 7}));
  EXPECT_EQ(state[1].second.span<int64_t>()[0], 4);
  // Element (out 2, in 1, y 3, x 4) of the file is element (y 3, x 4, in 1, out 2) here.
  EXPECT_EQ(state[0].second.data<float>()[((2 * 2 + 1) * 5 + 3) * 7 + 4],
            network.weight->value().data<float>()[((3 * 7 + 4) * 2 + 1) * 3 + 2]);
  Network other;
  for (float& v : other.slab.values().span<float>()) v = 0;
  other.slab.load({state.begin(), state.end()}, "file");
  for (size_t i = 0; i < 210; ++i)
    EXPECT_EQ(other.weight->value().span<float>()[i], network.weight->value().span<float>()[i]);
  EXPECT_EQ(network.slab.count(), 213);
}

TEST(ParameterSlab, LacksAnOptionalBuffer) {
  Network network, other;
  const auto list = network.slab.state();
  std::map<std::string, Tensor> state(list.begin(), list.end());
  state.erase("norm.count");
  for (float& v : other.slab.values().span<float>()) v = 0;
  other.slab.load(state, "file");
  EXPECT_EQ(other.weight->value().span<float>()[7], network.weight->value().span<float>()[7]);
  EXPECT_EQ(other.count->value().span<int64_t>()[0], 4);
}

TEST(ParameterSlab, StartsUniformAndAligned) {
  Network network;
  float largest = 0;
  for (float v : network.weight->value().span<float>()) largest = std::max(largest, std::abs(v));
  EXPECT_LE(largest, 0.5f);
  EXPECT_GT(largest, 0.4f);
  for (float v : network.bias->value().span<float>()) EXPECT_NEAR(v, 1, 0.1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(network.bias->value().raw()) % 64, 0u);
  EXPECT_EQ(network.slab.values().numel() % 16, 0);
}

TEST(ParameterSlab, NamesWeightsOfAnotherNetwork) {
  Network network;
  auto list = network.slab.state();
  std::map<std::string, Tensor> state(list.begin(), list.end());
  state["conv.biass"] = state["conv.bias"];
  state.erase("conv.bias");
  state["conv.weight"] = host_tensor({3, 2, 5, 5}, DataType::f32);
  try {
    network.slab.load(state, "w.safetensors");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "w.safetensors: these weights are of another network: 'conv.weight' has shape [3, "
                 "2, 5, 5] but the "
                 "network needs [3, 2, 5, 7]; 'conv.bias' is missing; 'conv.biass' is not in the "
                 "network (nearest: "
                 "'conv.bias')");
  }
}

TEST(Converted, HalfAndBfloat) {
  Tensor half = host_tensor({4}, DataType::f16);
  const uint16_t bits[] = {0x3c00, 0xc000, 0x0001, 0x7c00};
  std::copy(bits, bits + 4, reinterpret_cast<uint16_t*>(half.raw()));
  const Tensor wide = converted(half, DataType::f64);
  EXPECT_EQ(wide.span<double>()[0], 1);
  EXPECT_EQ(wide.span<double>()[1], -2);
  EXPECT_EQ(wide.span<double>()[2], 0x1p-24);
  EXPECT_TRUE(std::isinf(wide.span<double>()[3]));
  EXPECT_EQ(static_cast<float>(bfloat16(1.00390625f)), 1.0f);       // tie: to even
  EXPECT_EQ(static_cast<float>(bfloat16(1.01171875f)), 1.015625f);  // tie: to even
  EXPECT_TRUE(std::isnan(static_cast<float>(bfloat16(NAN))));
}

}  // namespace
}  // namespace py4cast
