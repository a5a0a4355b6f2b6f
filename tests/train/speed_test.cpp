#include "train/speed.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace py4cast {
namespace {

StepReport step_of(double flops, double bytes) {
  StepReport report;
  report.losses = {1, 2, 3};
  report.work = {.calls = 1, .flops = flops, .bytes = bytes};
  return report;
}

TEST(Speed, FloorIsTheCeilingThatTheWorkMeetsFirst) {
  const Ceilings ceilings{{{Precision::fp32, 50}, {Precision::bf16, 200}}, 10};
  EXPECT_DOUBLE_EQ(ceilings.floor({.flops = 100, .bytes = 10}, Precision::fp32), 2);
  EXPECT_DOUBLE_EQ(ceilings.floor({.flops = 100, .bytes = 10}, Precision::bf16), 1);
}

TEST(Speed, TellsTheShareOfTheStepsOfAnEpoch) {
  Speed speed(Ceilings{{{Precision::fp32, 50}}, 10}, Precision::fp32);
  speed.add(step_of(1000, 1));
  speed.begin_epoch();
  speed.add(step_of(100, 10));
  speed.add(step_of(200, 10));
  EXPECT_DOUBLE_EQ(*speed.floor(), 6);
  const nlohmann::ordered_json told = speed.report(3);
  EXPECT_EQ(told["epoch"], 3);
  EXPECT_EQ(told["steps"], 2);
  EXPECT_EQ(told["flops_per_step"], 150);
  EXPECT_EQ(told["bytes_per_step"], 10);
  const double seconds = told["seconds"];
  EXPECT_GT(seconds, 0);
  EXPECT_DOUBLE_EQ(told["steps_per_second"], 2 / seconds);
  EXPECT_DOUBLE_EQ(told["batches_per_second"], 6 / seconds);
  EXPECT_DOUBLE_EQ(told["share_of_ceiling"], 6 / seconds);
}

TEST(Speed, WithoutCeilingsOrStepsItTellsNoShare) {
  Speed speed({}, Precision::fp32);
  EXPECT_FALSE(speed.floor());
  EXPECT_FALSE(speed.report(1).contains("steps_per_second"));
  speed.add(step_of(100, 10));
  EXPECT_TRUE(speed.report(1).contains("steps_per_second"));
  EXPECT_FALSE(speed.report(1).contains("share_of_ceiling"));
}

TEST(Speed, CeilingsOfThisMachineAreThoseOfAComputer) {
  Runtime runtime("cpu");
  const Ceilings found = measure_ceilings(runtime, {Precision::fp32});
  EXPECT_GT(found.flops.at(Precision::fp32), 1e8);
  EXPECT_GT(found.bytes, 1e7);
}

}  // namespace
}  // namespace py4cast
