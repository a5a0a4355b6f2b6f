#include "train/forecast/forecaster.h"

#include <gtest/gtest.h>

#include "data/simulation/dummy.h"
#include "kernels/ops/random.h"

namespace py4cast {
namespace {

TEST(Forecaster, PortsAreWhatTheNetworkTakesAndWhereItsPointsAre) {
  DatasetSettings settings;
  settings.name = "dummy";
  settings.subgrid = {8, 24, 4, 36};
  settings.border = 2;
  settings.missing = Missing::mask;
  const auto store = dummy_dataset().open(settings, nullptr, {});
  Steps steps;
  steps.input = 2;
  const Ports ports = Forecaster::ports(*store, steps);
  const DatasetInfo& info = store->info();
  const int64_t in =
      2 * 3 + static_cast<int64_t>(info.static_names.size()) + info.forcing_dim() + 1;
  EXPECT_EQ(ports.inputs, (std::map<std::string, Shape>{{"x", {16, 32, in}}}));
  EXPECT_EQ(ports.outputs, (std::map<std::string, Shape>{{"y", {16, 32, 3}}}));
  ASSERT_TRUE(ports.geometry);
  const Tensor &coordinates = ports.geometry->coordinates, &border = ports.geometry->border;
  ASSERT_EQ(coordinates.shape(), (Shape{16 * 32, 2}));
  ASSERT_EQ(border.shape(), (Shape{16 * 32, 1}));
  const int64_t point = 3 * 32 + 5;  // row 3, column 5 of the sub-grid
  EXPECT_EQ(coordinates.data<double>()[2 * point], (4 + 5 + 30) / 2.0);
  EXPECT_EQ(coordinates.data<double>()[2 * point + 1], (8 + 3 - 16) / 2.0);
  EXPECT_EQ(border.data<float>()[point], 0);
  EXPECT_EQ(border.data<float>()[32 + 5], 1) << "row 1";
}

// A network that draws random numbers, dropout say.
struct Noise : Model {
  TensorMap forward(Context& context, const TensorMap& inputs) const override {
    const Tensor& x = inputs.at("x");
    return {{"y", uniform(context, x.shape().with(-1, 3), x.type(), 1)}};
  }
};

TEST(Forecaster, EachCallDrawsItsOwnNumbers) {
  DatasetSettings settings;
  settings.name = "dummy";
  settings.subgrid = {8, 24, 4, 36};
  const auto store = dummy_dataset().open(settings, nullptr, {});
  Steps steps;
  const Noise noise;
  Context context;
  const auto output = [](Context&, const StrategyStep& step) { return step.output; };
  const Forecaster forecaster(noise, *store, {.steps = steps, .strategy = output}, context);
  const auto zeros = [](const Shape& shape) { return host_tensor(shape, DataType::f32); };
  const RandomKey key = context.random;
  const auto forecast = [&] {
    return forecaster(context, {.states = zeros({1, 2, 16, 32, 3}),
                                .forcing = zeros({1, 3, 16, 32, store->info().forcing_dim()})});
  };
  const std::vector<Tensor> first = forecast(), again = forecast();
  ASSERT_EQ(first.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const auto values = first[i].span<float>(), others = first[(i + 1) % 3].span<float>();
    EXPECT_FALSE(std::equal(values.begin(), values.end(), others.begin())) << i;
    EXPECT_TRUE(std::equal(values.begin(), values.end(), again[i].span<float>().begin())) << i;
  }
  EXPECT_EQ(context.random.stream, key.stream);
}

}  // namespace
}  // namespace py4cast
