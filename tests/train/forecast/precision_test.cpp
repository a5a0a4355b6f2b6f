// The precision of a run: where it is refused, where a warning goes with it, and how it trains.
#include "train/precision.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "tests/devices.h"
#include "tests/train/forecast/small_training.h"
#include "train/checkpoint.h"

namespace py4cast {
namespace {

Context context_of(Precision precision, CpuLevel level, DeviceKind device = DeviceKind::cpu) {
  Context context;
  context.precision = precision;
  context.cpu_level = level;
  context.device.kind = device;
  return context;
}

TEST(Precision, IsThatOfEveryContext) {
  Runtime runtime("cpu");
  EXPECT_EQ(runtime.context().precision, Precision::fp32);
  set_precision(runtime, "bf16");
  EXPECT_EQ(runtime.context().precision, Precision::bf16);
  EXPECT_THROW(set_precision(runtime, "tf32"), Error);
}

TEST(Precision, WarnsWhereBf16IsNotFast) {
  for (CpuLevel level : {CpuLevel::baseline, CpuLevel::avx2, CpuLevel::avx512}) {
    const std::string warning = precision_warning(context_of(Precision::bf16, level));
    EXPECT_NE(warning.find("level " + std::string(name_of(level)) + " of this processor"),
              std::string::npos)
        << warning;
    EXPECT_EQ(precision_warning(context_of(Precision::fp32, level)), "");
    EXPECT_EQ(precision_warning(context_of(Precision::bf16, level, DeviceKind::cuda)), "");
  }
  EXPECT_EQ(precision_warning(context_of(Precision::bf16, CpuLevel::amx)), "");
}

// Device and precision.
class TrainingIn : public ::testing::TestWithParam<std::pair<std::string, Precision>> {
 protected:
  static SmallOptions options() {
    const auto& [device, precision] = GetParam();
    return {.device = device, .accumulate = 2, .precision = precision, .little = true};
  }
};
std::vector<std::pair<std::string, Precision>> trainings() {
  std::vector<std::pair<std::string, Precision>> result{{"cpu", Precision::bf16}};
  if (devices().back() == "cuda")
    result.insert(result.end(), {{"cuda", Precision::bf16}, {"cuda", Precision::tf32}});
  return result;
}
INSTANTIATE_TEST_SUITE_P(Precisions, TrainingIn, ::testing::ValuesIn(trainings()),
                         [](const auto& test) {
                           return test.param.first +
                                  (test.param.second == Precision::bf16 ? "_bf16" : "_tf32");
                         });

// The losses of fp32 when the first parameters have random relative errors of at most `unit`.
std::vector<double> disturbed_losses(double unit, uint64_t draw) {
  SmallTraining small({.accumulate = 2, .little = true});
  uint64_t i = 0;
  for (float& value : small.network->slab().values().span<float>())
    value *= static_cast<float>(1 + unit * (2 * RandomKey{draw}.uniform(i++) - 1));
  return small.train().second;
}

// How far the losses may be from those of fp32 is measured in fp32: what errors of the unit
// roundoff in the first parameters do, the worst of some draws. A precision makes two
// or three such errors on the way through each layer, and again in each step: twice is allowed.
TEST_P(TrainingIn, LossesFollowThoseOfFp32) {
  const double unit = std::ldexp(1, GetParam().second == Precision::bf16 ? -8 : -11);
  const std::vector<double> expected = disturbed_losses(0, 0);
  SmallTraining brief(options());
  const std::vector<double> found = brief.train().second;
  ASSERT_EQ(found.size(), expected.size());
  std::vector<std::vector<double>> others;
  for (uint64_t draw = 1; draw <= 4; ++draw) others.push_back(disturbed_losses(unit, draw));
  double first = 0, limit = 0;
  for (const auto& losses : others) {
    first = std::max(first, std::abs(losses[0] - expected[0]));
    for (size_t step = 0; step < found.size(); ++step)
      limit = std::max(limit, std::abs(losses[step] - expected[step]));
  }
  EXPECT_LT(std::abs(found[0] - expected[0]), 2 * first);
  for (size_t step = 0; step < found.size(); ++step) {
    EXPECT_LT(std::abs(found[step] - expected[step]), 2 * limit) << "step " << step + 1;
    EXPECT_NE(found[step], expected[step]);
  }
  EXPECT_LT(found.back(), found.front());
  EXPECT_EQ(brief.network->slab().values().type(), DataType::f32);
  EXPECT_EQ(brief.optimizer->state()[0].second.type(), DataType::f32);
}

// Cut in its second epoch, and begun again from the checkpoint of the first one.
TEST_P(TrainingIn, ResumedEqualsUninterrupted) {
  struct Cut {};
  const std::string folder = testing::TempDir() + "resumed_" + GetParam().first;
  const auto whole = SmallTraining(options()).train();
  Position position;
  {
    SmallTraining cut(options());
    TrainerObserver observer;
    observer.on_checkpoint = [&](const Position& reached) {
      save_checkpoint(folder, cut.trainer->learners(), {});
      position = reached;
    };
    observer.on_step = [&](const StepReport& report, int64_t) {
      if (report.place.epoch == 1) throw Cut();
    };
    EXPECT_THROW(cut.trainer->fit(observer), Cut);
  }
  SmallTraining resumed(options());
  load_checkpoint(folder, resumed.trainer->learners());
  resumed.trainer->set_position(position);
  const auto rest = resumed.train();
  const std::vector<double> expected(whole.second.begin() + position.step, whole.second.end());
  EXPECT_EQ(position.epoch, 1);
  EXPECT_EQ(rest.second, expected);
  EXPECT_TRUE(rest.first == whole.first);
}

// On a GPU once captured, once step by step.
TEST_P(TrainingIn, RepeatsItsBits) {
  const auto first = SmallTraining(options()).train();
  SmallOptions again = options();
  again.cuda_graph = false;
  SmallTraining plain(again);
  const auto second = plain.train();
  EXPECT_EQ(plain.trainer->runner().graphs().captured(), 0);
  EXPECT_EQ(first.second, second.second);
  EXPECT_TRUE(first.first == second.first);
}

}  // namespace
}  // namespace py4cast
