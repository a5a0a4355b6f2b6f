// The precision of a run: where it is refused, and where a warning goes with it.
#include <gtest/gtest.h>

#include "train/experiment.h"

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

}  // namespace
}  // namespace py4cast
