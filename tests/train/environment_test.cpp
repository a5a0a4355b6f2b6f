#include "train/environment.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace py4cast {
namespace {

TEST(RunEnvironment, HasTheVersions) {
  Runtime runtime("cpu");
  const auto report = run_environment(runtime);
  EXPECT_EQ(report.at("ranks"), 1);
  EXPECT_FALSE(report.at("version").get<std::string>().empty());
  std::vector<const char*> libraries{"netcdf", "protobuf", "nlohmann_json"};
#if PY4CAST_CUDA
  libraries.push_back("cublaslt");
#endif
#if PY4CAST_CUDNN
  libraries.push_back("cudnn");
#endif
  for (const char* library : libraries) {
    const std::string version = report.at("libraries").at(library);
    EXPECT_NE(version.find('.'), std::string::npos) << library << " " << version;
    EXPECT_TRUE(std::isdigit(static_cast<unsigned char>(version[0]))) << library << " " << version;
  }
}

}  // namespace
}  // namespace py4cast
