#include "train/environment.h"

#include <google/protobuf/stubs/common.h>
#include <netcdf.h>

#include <nlohmann/json.hpp>
#include <sstream>

#if PY4CAST_CUDA
#include "kernels/products/cublaslt_products.h"
#include "kernels/products/cudnn_convolutions.h"
#endif

namespace py4cast {
namespace {

std::string dotted(int major, int minor, int patch) {
  std::ostringstream stream;
  stream << major << '.' << minor << '.' << patch;
  return stream.str();
}

}  // namespace

nlohmann::ordered_json run_environment(Runtime& runtime) {
  nlohmann::ordered_json report = environment_report(runtime);
  const std::string netcdf = nc_inq_libvers();
  report["version"] = PY4CAST_VERSION;
  report["libraries"] = {
      {"netcdf", netcdf.substr(0, netcdf.find(' '))},  // "4.9.0 of Aug  7 2022 ..."
      {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
      {"nlohmann_json", dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                               NLOHMANN_JSON_VERSION_PATCH)}};
#if PY4CAST_CUDA
  report["libraries"]["cublaslt"] = MatrixProducts::version();
#endif
#if PY4CAST_CUDNN
  report["libraries"]["cudnn"] = LibraryConvolutions::version();
#endif
  return report;
}

}  // namespace py4cast
