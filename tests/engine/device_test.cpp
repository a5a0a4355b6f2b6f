#include "engine/device.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "engine/error.h"

namespace py4cast {
namespace {

constexpr CpuLevel all_levels[] = {CpuLevel::baseline,    CpuLevel::avx2, CpuLevel::avx512,
                                   CpuLevel::avx512_bf16, CpuLevel::amx,  CpuLevel::amx_emulated};

// PY4CAST_CPU_LEVEL for the length of a test.
class ForcedLevel {
 public:
  explicit ForcedLevel(const std::string& name) {
    if (const char* before = std::getenv(variable)) before_ = before;
    setenv(variable, name.c_str(), 1);
  }
  ~ForcedLevel() {
    if (before_)
      setenv(variable, before_->c_str(), 1);
    else
      unsetenv(variable);
  }
  ForcedLevel(const ForcedLevel&) = delete;
  ForcedLevel& operator=(const ForcedLevel&) = delete;

 private:
  static constexpr const char* variable = "PY4CAST_CPU_LEVEL";
  std::optional<std::string> before_;
};

std::string refusal(const std::string& name) {
  const ForcedLevel forced(name);
  try {
    best_cpu_level();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::configuration);
    return error.what();
  }
  return {};
}

TEST(CpuLevels, EachThatTheProcessorHasCanBeForced) {
  for (CpuLevel level : all_levels) {
    const std::string name(name_of(level));
    if (has_cpu_level(level)) {
      const ForcedLevel forced(name);
      EXPECT_EQ(best_cpu_level(), level);
    } else {
      EXPECT_EQ(
          refusal(name).find("PY4CAST_CPU_LEVEL=" + name + ": this processor has no more than "),
          0u)
          << refusal(name);
    }
  }
  const ForcedLevel none("");
  EXPECT_TRUE(has_cpu_level(best_cpu_level()));
  EXPECT_NE(best_cpu_level(), CpuLevel::amx_emulated);
}

TEST(CpuLevels, AnUnknownOneIsAnsweredWithTheList) {
  EXPECT_EQ(refusal("avx1024"),
            "PY4CAST_CPU_LEVEL=avx1024: the levels are baseline, avx2, avx512, avx512_bf16, amx, "
            "amx_emulated");
}

TEST(CpuLevels, EachIncludesTheLowerOnes) {
  EXPECT_TRUE(has_cpu_level(CpuLevel::baseline));
  for (size_t i = 1; i < 5; ++i)
    EXPECT_LE(has_cpu_level(all_levels[i]), has_cpu_level(all_levels[i - 1])) << i;
  EXPECT_EQ(has_cpu_level(CpuLevel::amx_emulated), has_cpu_level(CpuLevel::avx512));
}

TEST(CpuLevels, Bf16IsFastWithInstructionsForIt) {
  EXPECT_TRUE(fast_bf16(CpuLevel::amx));
  for (CpuLevel level :
       {CpuLevel::baseline, CpuLevel::avx2, CpuLevel::avx512, CpuLevel::amx_emulated})
    EXPECT_FALSE(fast_bf16(level)) << name_of(level);
}

}  // namespace
}  // namespace py4cast
