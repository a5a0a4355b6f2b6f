// What is the same for all networks, with one that is made here: registered from outside, with two
// inputs, of which one is a field on a line, and constants.
#include "models/model.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/runtime.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "tests/devices.h"
#include "tests/engine/error_of.h"

namespace py4cast {
namespace {

struct LineSettings : PaddedSettings {
  PY4CAST_SETTING(int64_t, multiple, 4, "Of the length.", .minimum = 1);
  PY4CAST_SETTING(double, bend, 1, "Of the constant.");
};

// v[b, p, f] = (weight u[b, p, f] + bend p) gain[b, f], p counted from the padded field's first.
class Line : public Model {
 public:
  Line(const Builder& builder, const Shape& u, const LineSettings& settings)
      : weight_(builder.parameter("weight", {1}, {}, {2, 0})) {
    Tensor ramp = host_tensor({u[0], 1}, DataType::f32), numbers = host_tensor({3}, DataType::i32);
    for (int64_t p = 0; p < u[0]; ++p)
      ramp.data<float>()[p] = static_cast<float>(settings.bend * static_cast<double>(p));
    for (int32_t i = 0; i < 3; ++i) numbers.data<int32_t>()[i] = 7 * i;
    ramp_ = &builder.child("mesh").constant("ramp", ramp);
    numbers_ = &builder.child("mesh").constant("numbers", numbers);
  }

  TensorMap forward(Context& context, const TensorMap& inputs) const override {
    const Tensor &u = inputs.at("u"), &gain = inputs.at("gain");
    seen = u.shape();
    EXPECT_EQ(numbers_->value().device(), u.device());
    const auto spread = [&](const Tensor& x, const Shape& shape) {
      return broadcast(context, reshape(context, cast(context, x, u.type()), shape), u.shape());
    };
    const Tensor scaled = multiply(context, u, spread(use(context, weight_), {1, 1, 1}));
    const Tensor moved = add(context, scaled, spread(ramp_->value(), {1, u.size(1), 1}));
    return {{"v", multiply(context, moved, spread(gain, {u.size(0), 1, u.size(2)}))}};
  }

  mutable Shape seen;

 private:
  const Parameter& weight_;
  const Constant *ramp_, *numbers_;
};

const Line* last_line = nullptr;

ModelKind line() {
  return {.name = "Line",
          .settings = &table_of<LineSettings>(),
          .make =
              [](const Builder& builder, const Ports& ports, const Json& json) {
                EXPECT_EQ(ports.geometry != nullptr, ports.inputs.at("u")[0] == 8);
                auto model = std::make_unique<Line>(builder, ports.inputs.at("u"),
                                                    read_settings<LineSettings>(json));
                last_line = model.get();
                return model;
              },
          .multiples = [](const Json& json) { return std::vector<int64_t>{json["multiple"]}; }};
}

ModelRegistry models() {
  ModelRegistry registry = built_in_models();
  registry.add(line());
  return registry;
}

Ports line_ports(int64_t points) {
  return {.inputs = {{"u", {points, 2}}, {"gain", {2}}},
          .outputs = {{"v", {points, 2}}},
          .geometry = std::make_shared<Geometry>()};
}

struct BentNetwork {
  BentNetwork(const Context& context, int64_t points, const char* settings, bool autopad)
      : slab(context.floating()),
        model(make_model(models(), "line", Builder(slab).child("net"), line_ports(points),
                         Json::parse(settings), autopad)) {
    slab.allocate(context.device, context.ledger, true);
    slab.initialise(RandomKey{1});
  }
  ParameterSlab slab;
  std::unique_ptr<Model> model;
};

// u = 1, 2, 3 ... and gain = 1, 2.
TensorMap inputs_of(const Context& context, int64_t batch, int64_t points) {
  Tensor u = host_tensor({batch, points, 2}, context.floating()),
         gain = host_tensor({batch, 2}, context.floating());
  const auto fill = [](Tensor& x, int64_t period) {
    Tensor values = host_tensor(x.shape(), DataType::f64);
    for (int64_t i = 0; i < x.numel(); ++i)
      values.data<double>()[i] = static_cast<double>(i % period + 1);
    x = converted(values, x.type());
  };
  fill(u, u.numel());
  fill(gain, 2);
  return {{"u", on_device_of(context, u, Owner::batches, "u")},
          {"gain", on_device_of(context, gain, Owner::batches, "gain")}};
}

TEST(Model, FieldsOfAnySizeAreFilledUpAndCutBack) {
  for (const std::string& device : devices())
    for (const Precision precision : {Precision::fp32, Precision::fp64, Precision::bf16})
      for (const auto& [points, before, inside, settings] :
           {std::tuple{10, 1, 12, R"({"autopad_enabled": true})"},
            std::tuple{9, 1, 12, R"({"autopad_enabled": true})"}, std::tuple{8, 0, 8, R"({})"}}) {
        Runtime runtime(device);
        runtime.set_precision(precision);
        Context context = runtime.context();
        context.phase = Phase::evaluate;
        const BentNetwork network(context, points, settings, false);
        const TensorMap outputs = network.model->forward(context, inputs_of(context, 2, points));
        EXPECT_EQ(last_line->seen, (Shape{2, inside, 2}));
        const Tensor& v = tensor_of(outputs, "v");
        EXPECT_EQ(v.shape(), (Shape{2, points, 2}));
        EXPECT_EQ(v.type(), context.floating());
        const Tensor host = converted(on_host(v), DataType::f64);
        for (int64_t i = 0; i < host.numel(); ++i) {
          const int64_t p = i / 2 % points, f = i % 2;
          EXPECT_EQ(host.data<double>()[i],
                    static_cast<double>((2 * (i + 1) + p + before) * (f + 1)));
        }
      }
}

TEST(Model, ConstantsFollowTheSlabAndAreNeitherTrainedNorInFiles) {
  for (const std::string& device : devices()) {
    Runtime runtime(device);
    const Context context = runtime.context();
    const auto before = runtime.ledger().live_bytes(Owner::parameters);
    {
      const BentNetwork network(context, 8, R"({"bend": 0.5})", false);
      ASSERT_EQ(network.slab.constants().size(), 2u);
      const Constant &ramp = network.slab.constants()[0], &numbers = network.slab.constants()[1];
      EXPECT_EQ(ramp.name(), "net.mesh.ramp");
      EXPECT_EQ(ramp.value().device(), context.device);
      EXPECT_EQ(on_host(ramp.value()).data<float>()[3], 1.5f);
      EXPECT_EQ(numbers.value().type(), DataType::i32);
      EXPECT_EQ(on_host(numbers.value()).data<int32_t>()[2], 14);
      ASSERT_EQ(network.slab.state().size(), 1u);
      EXPECT_EQ(network.slab.state()[0].first, "net.weight");
      EXPECT_EQ(network.slab.count(), 1);
      EXPECT_EQ(runtime.ledger().live_bytes(Owner::parameters) - before,
                2 * network.slab.values().bytes() + 8 * 4 + 3 * 4);
    }
    EXPECT_EQ(runtime.ledger().live_bytes(Owner::parameters), before);
  }
  ParameterSlab wide(DataType::f64);
  const Builder builder(wide);
  EXPECT_EQ(builder.constant("edge", host_tensor({2}, DataType::f32)).value().type(), DataType::f64)
      << "as the parameters";
  EXPECT_EQ(error_of([&] { builder.parameter("edge", {1}, {}, {}); }),
            "two parameters are named edge");
}

TEST(Model, WrongPortsAreRefusedInWords) {
  Context context;
  const BentNetwork network(context, 8, "{}", false);
  const TensorMap good = inputs_of(context, 3, 8);
  const auto refusal = [&](TensorMap inputs) {
    return error_of([&] { network.model->forward(context, inputs); });
  };
  EXPECT_EQ(refusal(good), "no error");
  TensorMap inputs = good;
  inputs.erase("gain");
  EXPECT_EQ(refusal(inputs), "Line: the input 'gain' is missing");
  inputs["gains"] = good.at("gain");
  EXPECT_EQ(refusal(inputs), "Line: there is no input 'gains'; the nearest is 'gain'");
  inputs = good;
  inputs["u"] = inputs_of(context, 3, 9).at("u");
  EXPECT_EQ(refusal(inputs), "Line: the input 'u' is [3, 9, 2] but must be a batch of [8, 2]");
  EXPECT_EQ(refusal(inputs_of(context, 0, 8)),
            "Line: the input 'gain' is [0, 2] but must be a batch of [2]");

  ParameterSlab slab;
  const auto make = [&](const Ports& ports, const char* settings) {
    return error_of(
        [&] { make_model(models(), "Line", Builder(slab), ports, Json::parse(settings), false); });
  };
  EXPECT_EQ(make(line_ports(10), "{}"),
            "Line: the length must be multiples of 4, but u is [10, 2]; model.autopad pads any "
            "size");
  EXPECT_EQ(make(line_ports(0), "{}"), "Line: all sizes must be positive, but u is [0, 2]");
  EXPECT_EQ(make(line_ports(8), R"({"mutiple": 2})"),
            "Line: unknown key 'model.settings.mutiple'; did you mean 'model.settings.multiple'?");
}

TEST(Model, ResultsThatWereNotPromisedAreRefused) {
  Context context;
  ParameterSlab slab;
  Ports ports = line_ports(8);
  ports.outputs = {{"w", {8, 2}}};
  const auto model = make_model(models(), "Line", Builder(slab), ports, Json::object(), false);
  slab.allocate(context.device, nullptr, false);
  slab.initialise(RandomKey{1});
  EXPECT_EQ(error_of([&] { model->forward(context, inputs_of(context, 1, 8)); }),
            "Line: there is no output 'v'; the nearest is 'w'");
}

TEST(Model, ThreeAxesInSpace) {
  struct Same : Model {
    TensorMap forward(Context&, const TensorMap& inputs) const override {
      EXPECT_EQ(inputs.at("x").shape(), (Shape{1, 4, 6, 8, 1}));
      return {{"y", inputs.at("x")}};
    }
  };
  ModelRegistry registry("model.name", "network");
  registry.add(
      {.name = "Same",
       .settings = &table_of<PaddedSettings>(),
       .make = [](const Builder&, const Ports&, const Json&) { return std::make_unique<Same>(); },
       .multiples =
           [](const Json&) {
             return std::vector<int64_t>{1, 2, 8};
           }});
  Context context;
  ParameterSlab slab;
  const auto ports = [](const Shape& shape) {
    return Ports{.inputs = {{"x", shape}}, .outputs = {{"y", shape}}};
  };
  const auto make = [&](const Shape& shape, bool autopad) {
    return make_model(registry, "same", Builder(slab), ports(shape), Json::object(), autopad);
  };
  const Tensor x = inputs_of(context, 5, 12).at("u").viewed({1, 4, 6, 5, 1});
  const Tensor y = (*make({4, 6, 5, 1}, true))(context, x);
  ASSERT_EQ(y.shape(), x.shape());
  for (int64_t i = 0; i < x.numel(); ++i) EXPECT_EQ(y.data<float>()[i], x.data<float>()[i]);
  EXPECT_EQ(error_of([&] {
              make({4, 6, 5, 1}, false);
            }),
            "Same: depth, height and width must be multiples of 1, 2 and 8, but x is [4, 6, 5, 1]; "
            "model.autopad pads any size");
  EXPECT_EQ(error_of([&] {
              make({6, 5, 1}, true);
            }),
            "Same: needs fields of 3 axes in space, but x is [6, 5, 1]");
}

TEST(ModelRegistry, FindsNamesInAnySpelling) {
  ModelRegistry registry = models();
  for (const char* name : {"HalfUNet", "half_unet", "halfunet", "HALF-UNET"})
    EXPECT_EQ(registry.find(name).name, "halfunet");
  EXPECT_EQ(error_of([&] { registry.find("halfunett"); }),
            "model.name: there is no network 'halfunett' in this build; the nearest is 'halfunet'");
  ModelKind other = line();
  other.name = "l_i_n_e";
  EXPECT_EQ(error_of([&] { registry.add(other); }), "model.name: two networks are named 'l_i_n_e'");
}

}  // namespace
}  // namespace py4cast
