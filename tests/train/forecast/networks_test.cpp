// Every network of the registry trains, on every device and in every precision, the same with any
// number of threads.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <map>
#include <utility>

#include "tests/devices.h"
#include "tests/train/forecast/small_training.h"
#include "tests/train/twins.h"

namespace py4cast {
namespace {

// Settings that make each small.
const std::map<std::string, std::string> networks = {
    {"graphlam", R"({"hidden_dims": 8, "processor_layers": 1, "mesh_aggr": "mean"})"},
    {"halfunet", R"({"num_filters": 4})"},
    {"hilam", R"({"hidden_dims": 8, "processor_layers": 1})"},
    {"hilamparallel", R"({"hidden_dims": 8, "processor_layers": 1})"},
    {"unet", R"({"init_features": 2})"},
    {"segformer", R"({"dims": 8, "heads": 2, "ff_expansion": 1, "num_layers": 1,
                      "decoder_dim": 8, "num_downsampling_chans": 4})"},
};

TEST(Networks, AreThoseOfTheRegistry) {
  std::vector<std::string> names;
  for (const auto& [name, settings] : networks) names.push_back(name);
  std::vector<std::string> registered = built_in_models().names();
  std::ranges::sort(registered);
  EXPECT_EQ(registered, names);
}

using Case = std::tuple<std::string, std::string, Precision>;
class EveryNetwork : public ::testing::TestWithParam<Case> {};

TEST_P(EveryNetwork, Trains) {
  const std::string model = std::get<0>(GetParam()), device = std::get<1>(GetParam());
  const Precision precision = std::get<2>(GetParam());
  const auto train = [&](int threads) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    SmallTraining training({.device = device,
                            .precision = precision,
                            .little = true,
                            .epochs = 1,
                            .limit = 3,  // on a GPU: planned, captured, captured again
                            .model = model,
                            .settings = networks.at(model)});
    std::map<std::string, std::vector<float>> start;
    const auto values = [](const Parameter& parameter) {
      const Tensor host = on_host(parameter.value());
      return std::vector<float>(host.span<float>().begin(), host.span<float>().end());
    };
    const auto& parameters = training.network->slab().parameters();
    for (const Parameter& parameter : parameters)
      if (parameter.trainable()) start[parameter.name()] = values(parameter);
    const auto [bytes, losses] = training.train();
    omp_set_num_threads(before);
    EXPECT_EQ(losses.size(), 3u);
    for (double loss : losses) EXPECT_TRUE(std::isfinite(loss));
    for (const auto& parameter : parameters)
      if (parameter.trainable()) {
        EXPECT_NE(values(parameter), start[parameter.name()]) << parameter.name();
      }
    return bytes;
  };
  const std::string bytes = train(1);
  if (device == "cpu") {
    EXPECT_TRUE(train(3) == bytes);
  }
}

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const auto& [model, settings] : networks)
    for (const std::string& device : devices())
      for (Precision precision : {Precision::fp32, Precision::bf16})
        result.emplace_back(model, device, precision);
  return result;
}
INSTANTIATE_TEST_SUITE_P(Registry, EveryNetwork, ::testing::ValuesIn(cases()),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" + std::get<1>(test.param) +
                                  (std::get<2>(test.param) == Precision::bf16 ? "_bf16" : "_fp32");
                         });

class EmbeddedOnce : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(GraphNetworks, EmbeddedOnce,
                         ::testing::Values("graphlam", "hilam", "hilamparallel"),
                         [](const auto& test) { return test.param; });

struct Trained {
  std::string bytes;
  std::vector<double> losses, values;
  double flops = 0;
};
Trained trained(const SmallOptions& options) {
  SmallTraining training(options);
  Trained result;
  TrainerObserver observer;
  observer.on_step = [&](const StepReport& report, int64_t) {
    result.losses.push_back(report.loss);
    result.flops += report.work.flops;
  };
  training.trainer->fit(observer);
  for (const auto& [name, tensor] : training.network->slab().state()) {
    result.bytes.append(reinterpret_cast<const char*>(tensor.raw()), tensor.bytes());
    const Tensor wide = converted(tensor, DataType::f64);
    result.values.insert(result.values.end(), wide.span<double>().begin(),
                         wide.span<double>().end());
  }
  return result;
}

// Epochs of steps with 3 and 2 batches.
SmallOptions three_batches(const std::string& model) {
  return {.accumulate = 3,
          .precision = Precision::fp64,
          .little = true,
          .epochs = 2,
          .model = model,
          .settings = networks.at(model)};
}
double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double result = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < a.size() && std::isfinite(result); ++i)
    result = std::max(result, std::abs(a[i] - b[i]));
  return result;
}

TEST_P(EmbeddedOnce, TrainsAsIfEachBatchDid) {
  SmallOptions options = three_batches(GetParam());
  const Trained each = trained(options);
  options.embed_once = true;
  const Trained once = trained(options);
  EXPECT_EQ(once.losses.size(), 4u);
  EXPECT_LT(largest_difference(once.losses, each.losses), 1e-11);
  EXPECT_LT(largest_difference(once.values, each.values), 1e-9);
  EXPECT_GT(largest_difference(once.values, each.values), 0);  // sums in another order
  EXPECT_LT(once.flops, each.flops);
  SmallTraining planned(options);
  planned.trainer->plan();
  EXPECT_GT(planned.trainer->runner().shared_bytes(), 0u);
}

// Two forecasts make the product with the edges between grid and mesh once; where perceptrons are computed
// again each makes its own.
TEST_P(EmbeddedOnce, ForecastsOfAStepShareProducts) {
  SmallOptions options = three_batches(GetParam());
  const Trained shared = trained(options);
  options.settings.insert(1, R"("use_checkpointing": true, )");
  const Trained each = trained(options);
  EXPECT_LT(largest_difference(shared.losses, each.losses), 1e-11);
  EXPECT_LT(largest_difference(shared.values, each.values), 1e-9);
  EXPECT_GT(largest_difference(shared.values, each.values), 0);
}

// Parameters after so many epochs of a step of two batches, as numbers.
std::vector<double> after_steps(int64_t epochs, const std::string& device, StepSettings settings,
                                Communicator* communicator = nullptr) {
  SmallOptions options = three_batches("graphlam");
  options.device = device;
  options.accumulate = 2;
  SmallTraining training(options);
  Trainer trainer(training.runtime.context(), *training.task,
                  communicator ? *communicator : training.runtime.communicator(),
                  {.step = std::move(settings),
                   .epochs = epochs,
                   .limit_train_batches = 2,
                   .val_interval = epochs});
  trainer.fit({});
  EXPECT_EQ(trainer.runner().buckets("train") != nullptr,
            communicator && communicator->asynchronous());
  std::vector<double> values;
  for (const auto& [name, tensor] : training.network->slab().state()) {
    const Tensor wide = converted(tensor, DataType::f64);
    values.insert(values.end(), wide.span<double>().begin(), wide.span<double>().end());
  }
  return values;
}

TEST(EmbeddedOnceOnDevices, CapturedStepsAreThoseOfTheHost) {
  const std::vector<double> host = after_steps(3, "cpu", {});
  for (const std::string& device : devices()) {
    const std::vector<double> captured = after_steps(3, device, {.shared_values = true});
    EXPECT_LT(largest_difference(captured, host), 1e-9);
    EXPECT_EQ(after_steps(3, device, {.shared_values = true, .cuda_graph = false}), captured);
  }
}

// Gradients of embeddings are final last, and their bucket waits for them.
TEST(EmbeddedOnceOnDevices, SumsBesideTheBackwardPassAreThoseAfterIt) {
  if (devices().back() != "cuda") return;
  const StepSettings settings{.shared_values = true, .bucket_bytes = 600};
  Twins after(false), beside(true);
  EXPECT_EQ(after_steps(1, "cuda", settings, &after), after_steps(1, "cuda", settings, &beside));
}

TEST(EmbeddedOnceOnDevices, OneBatchHasNothingToShare) {
  SmallOptions options = three_batches("graphlam");
  options.accumulate = 1;
  const std::string each = SmallTraining(options).train().first;
  options.embed_once = true;
  EXPECT_TRUE(SmallTraining(options).train().first == each);
}

}  // namespace
}  // namespace py4cast
