// All networks against the originals: the tables of their state dicts, and golden values
// (tests/reference/make_fixtures.py).
#include <map>
#include <memory>
#include <tuple>

#include "tests/devices.h"
#include "tests/models/golden_checks.h"

namespace py4cast {
namespace {

constexpr const char* networks[] = {"half_unet", "segformer", "unet"};

struct Tolerance {
  double value, gradient;
};

// The element of a field that the fixture names.
int64_t probe_of(const Pass& pass, const Json& expected) {
  int64_t at = 0;
  for (int axis = 0; axis < pass.y.rank(); ++axis)
    at = at * pass.y.size(axis) + expected["probe_index"][static_cast<size_t>(axis)].get<int64_t>();
  return at;
}

// Entries are [sum, sum of absolute values, {index: element}].
void expect_tensor(const std::string& name, const std::vector<double>& found, const Json& expected,
                   double tolerance, double negligible, double kinks = 0) {
  const double allowed = expect_sums(name, found, expected, tolerance, negligible, kinks);
  for (const auto& [index, element] : expected[2].items())
    EXPECT_NEAR(found[std::stoul(index)], element.get<double>(), 10 * allowed)
        << name << "[" << index << "]";
}

// A network, a variant of its golden values.
struct Variant {
  std::string network, name;
  std::string title() const { return network + "_" + name; }
  const Json& values() const {
    static std::map<std::string, Json> files;
    Json& file = files[network];
    if (file.is_null()) file = fixture(network + "_golden.json");
    return file["variants"][name];
  }
  bool large() const {
    return values()["shape"][0].get<int64_t>() * values()["shape"][1].get<int64_t>() > 512;
  }
};
std::vector<Variant> variants() {
  std::vector<Variant> result;
  for (const char* network : networks)
    for (const Json file = fixture(std::string(network) + "_golden.json");
         const auto& [name, values] : file["variants"].items())
      result.push_back({network, name});
  return result;
}

// The largest difference of PyTorch's own gradients in f32 from those in f64.
double own_error(const Json& f32, const Json& f64, double negligible) {
  double worst = 0;
  for (const auto& [parameter, exact] : f64["gradients"].items())
    for (size_t sum : {0, 1})
      worst = std::max(worst, std::abs(f32["gradients"][parameter][sum].get<double>() -
                                       exact[sum].get<double>()) /
                                  (exact[1].get<double>() + negligible));
  return worst;
}

class Golden : public ::testing::TestWithParam<std::tuple<Variant, DataType, std::string>> {};

TEST_P(Golden, EqualsTheOriginal) {
  const auto& [which, type, device] = GetParam();
  Runtime runtime(device);
  const Context context = runtime.context();
  const Json& variant = which.values();
  const bool exact = type == DataType::f64;
  const Json &expected = variant["f64"], &rounded = variant["f32"];
  // A bias before a norm has gradient 0: in f32 what is there is rounding.
  const double negligible = 1e-3 * expected["gradient_abs_sum"].get<double>();
  // In f64 the files have nine digits. In f32 a rounding error can decide at a kink of ReLU or a
  // tie of the pool what the gradient is: the fixture says how much, and what each of the ReLUs nearest
  // to their kinks brings. And no f32 need be better than PyTorch's.
  const double kink = variant["gradient_sensitivity"];
  const Tolerance tolerance =
      exact ? Tolerance{1e-8, 1e-7}
            : Tolerance{1e-5,
                        std::max({1e-4, 10 * kink, 4 * own_error(rounded, expected, negligible)})};
  const Tensor x = on_device_of(context, golden_input(variant, type), Owner::batches, "x");

  Network network(which.network, variant, type, context.device);
  network.fill();
  const Pass train = run(network, x, Phase::train, Precision::fp32, context);
  expect_statistics(train, expected["train"], probe_of(train, expected), tolerance.value);
  double all_kinks = 0;
  for (const auto& [parameter, gradient] : expected["gradients"].items()) {
    ASSERT_TRUE(train.gradients.count(parameter)) << parameter;
    const double kinks = exact ? 0 : variant["gradient_kinks"].value(parameter, 0.0);
    expect_tensor(parameter, train.gradients.at(parameter), gradient, tolerance.gradient,
                  negligible, kinks);
    all_kinks += kinks;
  }
  const double sum = expected["gradient_abs_sum"];
  EXPECT_NEAR(gradient_sum(train), sum, tolerance.gradient * sum + all_kinks);
  EXPECT_EQ(train.gradients.size(), expected["gradients"].size());

  for (int forward = 1; forward < 3; ++forward)
    run(network, x, Phase::train, Precision::fp32, context);
  if (expected.contains("running_statistics_after_3"))
    for (const auto& [buffer, tensor] : network.slab.state())
      if (expected["running_statistics_after_3"].contains(buffer))
        expect_tensor(buffer, values_of(tensor), expected["running_statistics_after_3"][buffer],
                      tolerance.value, 1e-3);
  const Pass evaluation = run(network, x, Phase::evaluate, Precision::fp32, context);
  expect_statistics(evaluation, expected["eval_after_3"], probe_of(evaluation, expected),
                    tolerance.value);

  Network trained(which.network, variant, type, context.device);
  trained.fill();
  GoldenTraining training(trained, context);
  double scatter = 0;  // of PyTorch's trainings in f32 up to here
  for (size_t step = 1; step <= 5; ++step) {
    scatter = std::max(scatter, variant["adamw_scatter"][step - 1].get<double>());
    const double loss = expected["adamw_losses"][step - 1];
    const Pass pass = run(trained, x, Phase::train, Precision::fp32, context);
    EXPECT_NEAR(pass.loss / loss, 1, exact ? 1e-7 : std::max(2e-3, 4 * scatter));
    training.step();
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
class Rounded : public ::testing::TestWithParam<std::tuple<Variant, std::string, Precision>> {};

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
// or less, so 1.7 times the error; twice is allowed, and in bf16 the result itself once more. Operands
// of tf32 are rounded by our kernels, but tensor cores cut what is not, so errors may be twice as large.
TEST_P(Rounded, IsAsCloseAsRoundedOperandsLet) {
  const auto& [which, device, precision] = GetParam();
  const bool bf16 = precision == Precision::bf16;
  const double unit = std::ldexp(1, bf16 ? -8 : -10);
  Runtime runtime(device);
  const Context context = runtime.context();
  const Json& variant = which.values();
  const Tensor x = golden_input(variant, DataType::f64);
  const Tensor x32 = on_device_of(context, converted(x, DataType::f32), Owner::batches, "x");
  Network exact(which.network, variant, DataType::f64),
      network(which.network, variant, DataType::f32, context.device);
  exact.fill();
  network.fill();
  std::vector<std::unique_ptr<Network>> others;  // more where few points leave errors to chance
  for (uint32_t draw = 0; draw < (x.numel() / x.size(3) > 1024 ? 2 : 8); ++draw) {
    others.push_back(std::make_unique<Network>(which.network, variant, DataType::f64));
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
    EXPECT_GT(gradient, unit / (bf16 ? 2 : 4));  // it does round
  }
}

std::vector<std::tuple<Variant, std::string, Precision>> precision_cases() {
  std::vector<std::tuple<Variant, std::string, Precision>> cases;
  for (const std::string& device : devices())
    for (const Variant& variant : variants())
      for (Precision precision : {Precision::bf16, Precision::tf32}) {
        if (device == "cpu" ? precision == Precision::tf32 : emulated_gpu() && variant.large())
          continue;
        cases.emplace_back(variant, device, precision);
      }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Variants, Rounded, ::testing::ValuesIn(precision_cases()),
                         [](const auto& test) {
                           return std::get<0>(test.param).title() + "_" + std::get<1>(test.param) +
                                  (std::get<2>(test.param) == Precision::bf16 ? "_bf16" : "_tf32");
                         });

// Every variant on every device; but in f64 the emulated one takes half a minute for a large grid.
// Neighbours in the list take as long, and go to different processes (tests/run).
std::vector<std::tuple<Variant, DataType, std::string>> golden_cases() {
  std::vector<std::tuple<Variant, DataType, std::string>> cases;
  for (const std::string& device : devices())
    for (DataType type : {DataType::f64, DataType::f32})
      for (const Variant& variant : variants()) {
        if (emulated_gpu() && device == "cuda" && type == DataType::f64 && variant.large())
          continue;
        cases.emplace_back(variant, type, device);
      }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Variants, Golden, ::testing::ValuesIn(golden_cases()),
                         [](const auto& test) {
                           return std::get<0>(test.param).title() + "_" +
                                  std::string(name_of(std::get<1>(test.param))) + "_" +
                                  std::get<2>(test.param);
                         });

class StateDict : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Networks, StateDict, ::testing::ValuesIn(networks),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(StateDict, IsThatOfTheOriginal) {
  const Json table = fixture(std::string(GetParam()) + "_state_dict.json");
  ASSERT_GT(table["variants"].size(), 2u);
  for (const Json& variant : table["variants"]) {
    SCOPED_TRACE(variant["settings"].dump());
    Network network(GetParam(), variant, DataType::f32);
    expect_state_dict(network, variant);
  }
}

}  // namespace
}  // namespace py4cast
