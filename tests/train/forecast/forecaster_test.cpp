#include "train/forecast/forecaster.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/simulation/dummy.h"
#include "engine/runtime.h"
#include "kernels/ops/random.h"
#include "tests/train/built_in.h"
#include "train/network.h"

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

// Call k gives 10 k + f for the feature f; what it is given is noted, of the first point.
struct Recorder : Model {
  mutable std::vector<std::vector<float>> seen;
  TensorMap forward(Context&, const TensorMap& inputs) const override {
    const Tensor& x = inputs.at("x");
    seen.emplace_back(x.data<float>(), x.data<float>() + x.shape().back());
    const Tensor y = host_tensor(x.shape().with(-1, 3), DataType::f32);
    for (int64_t i = 0; i < y.numel(); ++i)
      y.data<float>()[i] = static_cast<float>(10 * seen.size()) + static_cast<float>(i % 3);
    return {{"y", y}};
  }
};

// Two states and a diagnostic.
std::shared_ptr<FieldStore> store_with_diagnostic(const std::vector<int64_t>& subgrid) {
  DatasetSettings settings;
  settings.name = "dummy";
  settings.subgrid = subgrid;
  settings.variables = {{.name = "input_output_01", .role = Role::diagnostic, .levels = {}},
                        {.name = "input_output_00", .levels = {}},
                        {.name = "input_output_02", .levels = {}}};
  return dummy_dataset().open(settings, nullptr, {});
}

// [1, count, 2, 2, features]: 100 step + feature + from.
Tensor counted(int64_t count, int64_t features, float from) {
  const Tensor x = host_tensor({1, count, 2, 2, features}, DataType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t step = i / (4 * features);
    x.data<float>()[i] = static_cast<float>(100 * step + i % features) + from;
  }
  return x;
}

class Calls : public testing::Test {
 protected:
  // By prediction: the features of the first point. Beforehand are the states 5, 6 and 105, 106 (of one
  // step: 5, 6), forcings 1000, 1001, ... and then 1100, ..., truths 2000, ... and then 2100, ...
  std::vector<std::vector<float>> forecast(Steps steps, int64_t predictions,
                                           const Strategy& strategy, bool given_border = true,
                                           int64_t truth_steps = -1, bool truth = true) {
    Context context;
    const Forecaster forecaster(network_, *store_, {steps, strategy, given_border}, context);
    ForecastInput input{.states = counted(steps.input, 2, 5),
                        .forcing = counted(predictions, store_->info().forcing_dim(), 1000),
                        .truth_steps = truth_steps,
                        .state_valid = state_valid_,
                        .forcing_valid = forcing_valid_};
    if (truth) input.truth = counted(predictions, 3, 2000);
    std::vector<std::vector<float>> result;
    for (const Tensor& y : forecaster(context, input))
      result.emplace_back(y.data<float>(), y.data<float>() + y.shape().back());
    return result;
  }
  // The states and the first forcing that a call was given; the forcings stand last.
  std::vector<float> given(size_t call, int64_t states) const {
    const std::vector<float>& x = network_.seen.at(call);
    std::vector<float> result(x.begin(), x.begin() + states);
    result.push_back(x.at(x.size() - static_cast<size_t>(store_->info().forcing_dim())));
    return result;
  }

  Tensor state_valid_, forcing_valid_;
  const std::shared_ptr<FieldStore> store_ = store_with_diagnostic({0, 2, 0, 2});
  Recorder network_;
};

using Values = std::vector<float>;
using Rows = std::vector<Values>;

Tensor output_alone(Context&, const StrategyStep& step) {
  return step.output;
}

TEST_F(Calls, TakeTheNewestStatesAndGiveDiagnosticsLast) {
  ASSERT_GT(store_->info().forcing_dim(), 0);
  Steps steps;
  steps.input = 2;
  EXPECT_EQ(forecast(steps, 3, output_alone), (Rows{{10, 11, 12}, {20, 21, 22}, {30, 31, 32}}));
  ASSERT_EQ(network_.seen.size(), 3u);
  EXPECT_EQ(given(0, 4), (Values{5, 6, 105, 106, 1000}));
  EXPECT_EQ(given(1, 4), (Values{105, 106, 10, 11, 1100}));
  EXPECT_EQ(given(2, 4), (Values{10, 11, 20, 21, 1200}));
}

TEST_F(Calls, BetweenTwoStepsHaveTheForcingOfTheSecond) {
  Steps steps;
  steps.input = 1;
  steps.inter = 2;
  EXPECT_EQ(forecast(steps, 2, output_alone), (Rows{{20, 21, 22}, {40, 41, 42}}));
  ASSERT_EQ(network_.seen.size(), 4u);
  EXPECT_EQ(given(0, 2), (Values{5, 6, 1000}));
  EXPECT_EQ(given(1, 2), (Values{10, 11, 1000}));
  EXPECT_EQ(given(2, 2), (Values{20, 21, 1100}));
  EXPECT_EQ(given(3, 2), (Values{30, 31, 1100}));
}

// [1, steps, 2, 2, 1]: at all points.
Tensor validity(const Values& by_step) {
  const Tensor x = host_tensor({1, static_cast<int64_t>(by_step.size()), 2, 2, 1}, DataType::f32);
  for (size_t i = 0; i < 4 * by_step.size(); ++i) x.data<float>()[i] = by_step[i / 4];
  return x;
}

TEST_F(Calls, AreToldWhereAllThatIsGivenHasValues) {
  const auto told = [&](Steps steps, const Values& states, const Values& forcings) {
    state_valid_ = validity(states);
    forcing_valid_ = forcings.empty() ? Tensor() : validity(forcings);
    network_.seen.clear();
    forecast(steps, 4, output_alone);
    Values result;
    for (const Values& x : network_.seen) result.push_back(x.back());
    return result;
  };
  Steps steps;
  steps.input = 2;
  EXPECT_EQ(told(steps, {0, 1}, {1, 1, 0, 1}), (Values{0, 1, 0, 1}));
  EXPECT_EQ(told(steps, {1, 0}, {1, 1, 1, 0}), (Values{0, 0, 1, 0}));
  EXPECT_EQ(told(steps, {1, 0}, {}), (Values{0, 0, 1, 1}));
  steps.input = 1;
  steps.inter = 2;
  EXPECT_EQ(told(steps, {0}, {1, 0, 1, 1}), (Values{0, 1, 0, 0, 1, 1, 1, 1}));
}

// What the strategy is told of the truth at each call; -1: nothing.
TEST_F(Calls, KnowTheTruthWhereItIsKnown) {
  Steps steps;
  steps.input = 1;
  steps.inter = 2;
  const auto told = [&](bool given_border, int64_t truth_steps, bool truth = true) {
    Values result;
    forecast(
        steps, 3,
        [&](Context&, const StrategyStep& step) {
          result.push_back(step.truth.defined() ? step.truth.data<float>()[0] : -1);
          return step.output;
        },
        given_border, truth_steps, truth);
    return result;
  };
  EXPECT_EQ(told(true, -1), (Values{2000, 2000, 2100, 2100, 2200, 2200}));
  EXPECT_EQ(told(true, 2), (Values{2000, 2000, 2100, 2100, -1, -1}));
  const Values never(6, -1);
  EXPECT_EQ(told(true, 0), never);
  EXPECT_EQ(told(false, -1), never);
  EXPECT_EQ(told(true, -1, false), never);
}

constexpr int64_t side = 32, widest = 5;

std::shared_ptr<FieldStore> dummy_store(int64_t border) {
  DatasetSettings settings;
  settings.name = "dummy";
  settings.subgrid = {0, side, 0, side};
  settings.border = border;
  return dummy_dataset().open(settings, nullptr, {});
}

bool inside(int64_t row, int64_t column) {
  const auto within = [](int64_t i) { return i >= widest && i < side - widest; };
  return within(row) && within(column);
}

// [1, count, rows, columns, features] in waves; `moved` more in the interior, or on the frame.
Tensor waves(int64_t count, int64_t features, double on_frame, double in_interior) {
  const Tensor x = host_tensor({1, count, side, side, features}, DataType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t point = i / features % (side * side);
    x.data<float>()[i] =
        static_cast<float>(std::sin(0.37 * static_cast<double>(i)) +
                           (inside(point / side, point % side) ? in_interior : on_frame));
  }
  return x;
}

// Largest difference in the interior and on the frame.
std::pair<double, double> differences(const Tensor& a, const Tensor& b) {
  double interior = 0, frame = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const int64_t point = i / a.shape().back();
    double& largest = inside(point / side, point % side) ? interior : frame;
    largest =
        std::max(largest, static_cast<double>(std::abs(a.data<float>()[i] - b.data<float>()[i])));
  }
  return {interior, frame};
}

// A boundary that counts: what is given there, and the constant fields, reach the interior within
// two steps, and the interior reaches the frame, unless the strategy forces it.
TEST(Forecaster, BorderAndInteriorKnowOfEachOther) {
  const std::map<std::string, Json> small = {{"halfunet", {{"num_filters", 8}}},
                                             {"unet", {{"init_features", 8}}}};
  Runtime runtime("cpu");
  Context context = runtime.context();
  context.phase = Phase::evaluate;
  Steps steps;
  const auto store = dummy_store(widest), narrower = dummy_store(widest - 1);
  const Ports ports = Forecaster::ports(*store, steps);
  const int64_t forcing = store->info().forcing_dim(), states = store->info().weather_dim();
  for (const ModelKind& kind : built_in().general.models)
    for (const StrategyKind& strategy : {diff_ar(), scaled_ar()}) {
      SCOPED_TRACE(kind.name + " " + strategy.name);
      const auto settings = small.find(kind.name);
      const Network network(built_in().general.models, kind.name, ports,
                            settings == small.end() ? Json::object() : settings->second, true, 3,
                            context, false);
      const auto forecast = [&](const FieldStore& from, double given_frame, double given_interior,
                                double truth_frame) {
        const ForecastRule rule{steps, strategy.make(Json()), strategy.given_border};
        const ForecastInput input{.states = waves(steps.input, states, given_frame, given_interior),
                                  .forcing = waves(2, forcing, 0, 0),
                                  .truth = waves(2, states, truth_frame, 0)};
        return Forecaster(network.model(), from, rule, context)(context, input).back();
      };
      const Tensor y = forecast(*store, 0, 0, 0);
      const auto [by_frame, unused] = differences(y, forecast(*store, 1, 0, 0));
      EXPECT_GT(by_frame, 1e-4) << "states on the frame";
      const auto [by_truth, forced] = differences(y, forecast(*store, 0, 0, 1));
      const auto [by_mask, other] = differences(y, forecast(*narrower, 0, 0, 0));
      EXPECT_GT(by_mask, 1e-6) << "the border mask, a constant field";
      const auto [own, outside] = differences(y, forecast(*store, 0, 1, 0));
      EXPECT_GT(own, 1e-4);
      if (strategy.given_border) {
        EXPECT_GT(by_truth, 1e-4) << "the truth on the frame";
        EXPECT_EQ(outside, 0);
      } else {
        EXPECT_EQ(by_truth, 0);
        EXPECT_GT(outside, 1e-4) << "states in the interior";
      }
    }
}

// Of the network's three outputs the last is a diagnostic: what the strategy makes of the states does not
// touch it, and the network is given two features per input step.
TEST(Forecaster, DiagnosticsAreTheNetworksOwn) {
  const auto store = store_with_diagnostic({0, side, 0, side});
  Runtime runtime("cpu");
  Context context = runtime.context();
  context.phase = Phase::evaluate;
  Steps steps;
  const Ports ports = Forecaster::ports(*store, steps);
  const auto others =
      static_cast<int64_t>(store->info().static_names.size()) + store->info().forcing_dim();
  EXPECT_EQ(ports.inputs.begin()->second.back(), steps.input * 2 + others);
  EXPECT_EQ(ports.outputs.begin()->second.back(), 3);
  const Network network(built_in().general.models, "halfunet", ports, {{"num_filters", 8}}, true, 3,
                        context, false);
  const auto forecast = [&](const Strategy& strategy) {
    return Forecaster(network.model(), *store, {steps, strategy, false}, context)(
        context, {.states = waves(steps.input, 2, 0, 0),
                  .forcing = waves(2, store->info().forcing_dim(), 0, 0)});
  };
  const auto y = forecast([](Context&, const StrategyStep& step) { return step.output; });
  const auto kept = forecast([](Context&, const StrategyStep& step) { return step.last; });
  ASSERT_EQ(y[0].shape(), (Shape{1, side, side, 3}));
  double moved = 0;
  for (int64_t i = 0; i < y[0].numel(); ++i) {
    const float a = y[0].data<float>()[i], b = kept[0].data<float>()[i];
    if (i % 3 == 2)
      ASSERT_EQ(a, b) << i;
    else
      moved = std::max(moved, static_cast<double>(std::abs(a - b)));
  }
  EXPECT_GT(moved, 0.1);
  EXPECT_EQ(kept[1].data<float>()[0], kept[0].data<float>()[0]);  // the state stays ...
  EXPECT_NE(kept[1].data<float>()[2], kept[0].data<float>()[2]);  // ... but its forcings do not
}

}  // namespace
}  // namespace py4cast
