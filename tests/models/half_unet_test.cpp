// HalfUNet against mfai's: the table of its state dict, and golden values
// (tests/reference/make_fixtures.py).
#include "models/half_unet.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/runtime.h"
#include "engine/work_counter.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "kernels/training/adamw.h"
#include "layers/batch_norm.h"
#include "tests/devices.h"
#include "tests/places.h"

namespace py4cast {
namespace {

Json fixture(const std::string& name) {
  std::ifstream file(repository() + "/tests/reference/" + name);
  return Json::parse(file);
}

// Deterministic numbers in [-1, 1): an integer hash of the index, seeded by k.
float uniform(uint32_t i, uint32_t k) {
  uint32_t h = i * 2654435761u + k * 40503u + 12345u;
  h ^= h >> 16;
  for (int round = 0; round < 2; ++round) {
    h *= 0x45d9f3bu;
    h ^= h >> 16;
  }
  return static_cast<float>(2 * static_cast<double>(h) / 4294967296.0 - 1);
}

struct Network {
  Network(const Json& variant, DataType type, Device device = {}) : slab(type) {
    const Ports ports = field_ports(variant["shape"][0], variant["shape"][1], variant["inputs"],
                                    variant["outputs"]);
    model = make_model(built_in_models(), "half_unet", Builder(slab), ports, variant["settings"],
                       false);
    slab.allocate(device, nullptr, true);
    slab.initialise(RandomKey{42});
  }

  // The k-th trainable parameter from uniform(., k), scaled by its kind, in f32.
  void fill() {
    std::map<std::string, Tensor> state;
    for (const auto& [name, tensor] : slab.state()) state[name] = tensor;
    uint32_t k = 0;
    for (const Parameter& parameter : slab.parameters()) {
      if (!parameter.trainable()) continue;
      const Shape& shape = parameter.spec().file_shape;
      Tensor values = host_tensor(shape, DataType::f32);
      const auto scale = static_cast<float>(
          std::sqrt(3.0 / (static_cast<double>(shape.numel()) / static_cast<double>(shape[0]))));
      for (uint32_t i = 0; float& value : values.span<float>()) {
        const float u = uniform(i++, k);
        value = shape.rank() > 1 ? scale * u
                                 : (parameter.name().ends_with("weight") ? 1.0f : 0.0f) + 0.1f * u;
      }
      state[parameter.name()] = values;
      ++k;
    }
    slab.load(state, "golden values");
  }

  ParameterSlab slab;
  std::unique_ptr<Model> model;
};

Tensor golden_input(const Json& variant, DataType type) {
  Tensor x =
      host_tensor({variant["batch"], variant["shape"][0], variant["shape"][1], variant["inputs"]},
                  DataType::f32);
  for (uint32_t i = 0; float& value : x.span<float>()) value = 1.7f * uniform(i++, 9999);
  return converted(x, type);
}

std::vector<double> values_of(const Tensor& tensor) {
  const Tensor wide = converted(on_host(tensor), DataType::f64);
  return {wide.span<double>().begin(), wide.span<double>().end()};
}

struct Pass {
  Tensor y;
  double loss = 0;
  std::map<std::string, std::vector<double>> gradients;  // in file layout
};

// Forward and backward of mean(y^2).
Pass run(Network& network, const Tensor& x, Phase phase, Precision precision = Precision::fp32,
         Context context = {}) {
  Tape tape(add);
  std::vector<BufferUpdate> updates;
  context.tape = &tape;
  context.phase = phase;
  context.precision = precision;
  context.buffer_updates = &updates;
  Pass pass;
  pass.y = (*network.model)(context, x);
  const Tensor loss = mean_all(context, multiply(context, pass.y, pass.y));
  pass.loss = values_of(loss)[0];
  Context plain = context.without_tape();
  tape.backward(context, {&loss, 1}, {full(plain, {}, loss.type(), 1)},
                [&](Context&, const Parameter& parameter, Tensor gradient) {
                  copy(gradient, parameter.gradient());
                  pass.gradients[parameter.name()] =
                      values_of(permuted(on_host(gradient), inverse_order(parameter.spec().order)));
                });
  if (!updates.empty()) apply_statistics(plain, updates, joined_statistics(plain, updates));
  return pass;
}

struct Tolerance {
  double value, gradient, loss;
};

void expect_statistics(const Pass& pass, const Json& expected, const Json& probe,
                       const Tolerance& tolerance) {
  const std::vector<double> y = values_of(pass.y);
  double sum = 0, absolute = 0;
  for (double v : y) {
    sum += v;
    absolute += std::abs(v);
  }
  const double scale = expected["mean_abs"], n = static_cast<double>(y.size());
  const Shape& shape = pass.y.shape();
  const int64_t at = ((probe[0].get<int64_t>() * shape[1] + probe[1].get<int64_t>()) * shape[2] +
                      probe[2].get<int64_t>()) *
                         shape[3] +
                     probe[3].get<int64_t>();
  EXPECT_NEAR(sum / n, expected["mean"].get<double>(), tolerance.value * scale);
  EXPECT_NEAR(absolute / n, scale, tolerance.value * scale);
  EXPECT_NEAR(y[0], expected["first"].get<double>(), 10 * tolerance.value * scale);
  EXPECT_NEAR(y[static_cast<size_t>(at)], expected["probe"].get<double>(),
              10 * tolerance.value * scale);
  EXPECT_NEAR(pass.loss / expected["loss"].get<double>(), 1, 2 * tolerance.value);
}

// Entries are [sum, sum of absolute values, {index: element}].
void expect_tensor(const std::string& name, const std::vector<double>& found, const Json& expected,
                   double tolerance, double negligible) {
  double sum = 0, absolute = 0;
  for (double v : found) {
    sum += v;
    absolute += std::abs(v);
  }
  const double scale = expected[1].get<double>() + negligible;
  EXPECT_NEAR(sum, expected[0].get<double>(), tolerance * scale) << name;
  EXPECT_NEAR(absolute, expected[1].get<double>(), tolerance * scale) << name;
  for (const auto& [index, element] : expected[2].items())
    EXPECT_NEAR(found[std::stoul(index)], element.get<double>(), 10 * tolerance * scale)
        << name << "[" << index << "]";
}

class HalfUNetGolden
    : public ::testing::TestWithParam<std::tuple<std::string, DataType, std::string>> {};

TEST_P(HalfUNetGolden, EqualsTheOriginal) {
  const auto& [name, type, device] = GetParam();
  Runtime runtime(device);
  const Context context = runtime.context();
  static const Json all = fixture("half_unet_golden.json");
  const Json& variant = all["variants"][name];
  const Json& expected = variant[std::string(name_of(type))];
  // In f64 the files have nine digits. In f32 a rounding error can decide at a kink of ReLU or a
  // tie of the pool what the gradient is: the fixture says how much.
  const double kink = variant["gradient_sensitivity"];
  const Tolerance tolerance = type == DataType::f64
                                  ? Tolerance{1e-8, 1e-7, 1e-7}
                                  : Tolerance{1e-5, std::max(1e-4, 10 * kink), 2e-3};
  const Tensor x = on_device_of(context, golden_input(variant, type), Owner::batches, "x");

  Network network(variant, type, context.device);
  network.fill();
  const Pass train = run(network, x, Phase::train, Precision::fp32, context);
  expect_statistics(train, expected["train"], expected["probe_index"], tolerance);
  // A bias before a norm has gradient 0: in f32 what is there is rounding.
  const double negligible = 1e-3 * expected["gradient_abs_sum"].get<double>();
  double total = 0;
  for (const auto& [parameter, gradient] : expected["gradients"].items()) {
    ASSERT_TRUE(train.gradients.count(parameter)) << parameter;
    expect_tensor(parameter, train.gradients.at(parameter), gradient, tolerance.gradient,
                  negligible);
    for (double g : train.gradients.at(parameter)) total += std::abs(g);
  }
  EXPECT_NEAR(total / expected["gradient_abs_sum"].get<double>(), 1, tolerance.gradient);
  EXPECT_EQ(train.gradients.size(), expected["gradients"].size());

  for (int forward = 1; forward < 3; ++forward)
    run(network, x, Phase::train, Precision::fp32, context);
  if (expected.contains("running_statistics_after_3"))
    for (const auto& [buffer, tensor] : network.slab.state())
      if (expected["running_statistics_after_3"].contains(buffer))
        expect_tensor(buffer, values_of(tensor), expected["running_statistics_after_3"][buffer],
                      tolerance.value, 1e-3);
  const Pass evaluation = run(network, x, Phase::evaluate, Precision::fp32, context);
  expect_statistics(evaluation, expected["eval_after_3"], expected["probe_index"], tolerance);

  Network trained(variant, type, context.device);
  trained.fill();
  Tensor first = trained.slab.like_values(nullptr), second = trained.slab.like_values(nullptr);
  for (int64_t step = 1; step <= 5; ++step) {
    const Pass pass = run(trained, x, Phase::train, Precision::fp32, context);
    EXPECT_NEAR(pass.loss / expected["adamw_losses"][static_cast<size_t>(step - 1)].get<double>(),
                1, tolerance.loss);
    Context plain = context;
    adamw(plain, trained.slab.values(), trained.slab.gradients(), first, second,
          {.lr = 1e-3,
           .beta1 = 0.9,
           .beta2 = 0.95,
           .epsilon = 1e-8,
           .weight_decay = 0.01,
           .step = step});
  }
}

double norm(const std::vector<double>& v) {
  double sum = 0;
  for (double e : v) sum += e * e;
  return std::sqrt(sum);
}

// |a - b| / |b|, Euclidean.
double distance(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> difference(b);
  for (size_t i = 0; i < b.size(); ++i) difference[i] = a.at(i) - b[i];
  return norm(difference) / norm(b);
}

std::vector<double> all_gradients(const Pass& pass) {
  std::vector<double> all;
  for (const auto& [name, gradient] : pass.gradients)
    all.insert(all.end(), gradient.begin(), gradient.end());
  return all;
}

// Variant, device, precision.
class HalfUNetIn
    : public ::testing::TestWithParam<std::tuple<std::string, std::string, Precision>> {};

// x with random relative errors of at most `unit`.
Tensor disturbed(const Tensor& x, double unit, uint32_t draw) {
  const Tensor result = converted(x, DataType::f64);
  for (uint32_t i = 0; double& element : result.span<double>())
    element *= 1 + unit * static_cast<double>(uniform(i++, 7000 + draw));
  return result;
}

// How far a precision may be from f64 is measured in f64: what errors of its unit roundoff in input
// and parameters alone do, the worst of some draws (one may decide at a kink or a tie where
// gradients go). In the precision itself the pixels that each convolution reads are rounded, too,
// in bf16 also what comes of each norm: two or three times as many independent errors of that size
// or less, so 1.7 times the error; twice is allowed, and in bf16 the result itself once more.
TEST_P(HalfUNetIn, IsAsCloseAsRoundedOperandsLet) {
  static const Json all = fixture("half_unet_golden.json");
  const auto& [name, device, precision] = GetParam();
  const double unit = std::ldexp(1, precision == Precision::bf16 ? -8 : -11);
  Runtime runtime(device);
  const Context context = runtime.context();
  const Json& variant = all["variants"][name];
  const Tensor x = golden_input(variant, DataType::f64);
  const Tensor x32 = on_device_of(context, converted(x, DataType::f32), Owner::batches, "x");
  Network exact(variant, DataType::f64), network(variant, DataType::f32, context.device);
  exact.fill();
  network.fill();
  std::vector<std::unique_ptr<Network>> others;  // more where few points leave errors to chance
  for (uint32_t draw = 0; draw < (x.numel() / x.size(3) > 1024 ? 2 : 8); ++draw) {
    others.push_back(std::make_unique<Network>(variant, DataType::f64));
    others.back()->fill();
    const Tensor& values = others.back()->slab.values();
    copy(disturbed(values, unit, draw), values);
  }
  for (Phase phase : {Phase::train, Phase::evaluate}) {
    SCOPED_TRACE(phase == Phase::train ? "training" : "evaluation");
    const Pass expected = run(exact, x, phase),
               found = run(network, x32, phase, precision, context);
    EXPECT_EQ(found.y.type(), DataType::f32);
    double y_limit = 0, gradient_limit = 0;
    for (uint32_t draw = 100; const auto& other : others) {
      const Pass pass = run(*other, disturbed(x, unit, draw++), phase);
      y_limit = std::max(y_limit, distance(values_of(pass.y), values_of(expected.y)));
      gradient_limit =
          std::max(gradient_limit, distance(all_gradients(pass), all_gradients(expected)));
    }
    const double y = distance(values_of(found.y), values_of(expected.y)),
                 gradient = distance(all_gradients(found), all_gradients(expected));
    EXPECT_LT(y, 2 * y_limit + unit);
    EXPECT_LT(gradient, 2 * gradient_limit);
    EXPECT_GT(gradient, unit);  // it does round
  }
}

std::vector<std::string> variant_names() {
  std::vector<std::string> names;
  const Json golden = fixture("half_unet_golden.json");
  for (const auto& [name, variant] : golden["variants"].items()) names.push_back(name);
  return names;
}
std::vector<std::tuple<std::string, std::string, Precision>> precision_cases() {
  std::vector<std::tuple<std::string, std::string, Precision>> cases;
  for (const std::string& name : variant_names()) cases.emplace_back(name, "cpu", Precision::bf16);
  for (const std::string& device : devices()) {
    if (device == "cpu") continue;
    const std::vector<std::string> few{"relu", "leakyrelu"};  // with little work
    for (const std::string& name : emulated_gpu ? few : variant_names())
      for (Precision precision : {Precision::bf16, Precision::tf32})
        cases.emplace_back(name, device, precision);
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Variants, HalfUNetIn, ::testing::ValuesIn(precision_cases()),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" + std::get<1>(test.param) +
                                  (std::get<2>(test.param) == Precision::bf16 ? "_bf16" : "_tf32");
                         });

// Every variant on every device; but in f64 the emulated one takes half a minute for a large grid.
// Neighbours in the list take as long, and go to different processes (tests/run).
std::vector<std::tuple<std::string, DataType, std::string>> golden_cases() {
  std::vector<std::tuple<std::string, DataType, std::string>> cases;
  const Json golden = fixture("half_unet_golden.json");
  for (const std::string& device : devices())
    for (DataType type : {DataType::f64, DataType::f32})
      for (const auto& [name, variant] : golden["variants"].items()) {
        const bool large =
            variant["shape"][0].get<int64_t>() * variant["shape"][1].get<int64_t>() > 512;
        if (emulated_gpu && device == "cuda" && type == DataType::f64 && large) continue;
        cases.emplace_back(name, type, device);
      }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Variants, HalfUNetGolden, ::testing::ValuesIn(golden_cases()),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" +
                                  std::string(name_of(std::get<1>(test.param))) + "_" +
                                  std::get<2>(test.param);
                         });

TEST(HalfUNet, StateDictIsThatOfTheOriginal) {
  const Json table = fixture("half_unet_state_dict.json");
  ASSERT_GT(table["variants"].size(), 10u);
  for (const Json& variant : table["variants"]) {
    SCOPED_TRACE(variant["settings"].dump());
    Network network(variant, DataType::f32);
    EXPECT_EQ(network.slab.count(), variant["parameters"].get<int64_t>());
    const auto state = network.slab.state();
    ASSERT_EQ(state.size(), variant["table"].size());
    size_t row = 0;
    for (const Parameter& parameter : network.slab.parameters()) {
      const Json& expected = variant["table"][row];
      const auto& [name, tensor] = state[row++];
      EXPECT_EQ(name, expected[0].get<std::string>());
      const std::vector<int64_t> sizes = expected[1];
      EXPECT_EQ(tensor.shape(), Shape(sizes)) << name;
      EXPECT_EQ(name_of(tensor.type()), expected[2].get<std::string>()) << name;
      EXPECT_EQ(parameter.trainable(), expected[3].get<bool>()) << name;
    }
  }
}

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
