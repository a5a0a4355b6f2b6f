// cuBLASLt and cuDNN: what they keep between calls. The Runtime owns it, a Context points to it.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "engine/context.h"
#include "kernels/products/cublaslt_products.h"
#include "kernels/products/cudnn_convolutions.h"

namespace py4cast {

// Calls are made under `mutex`: plans hold addresses while a call is prepared.
class CudaLibraries final : public DeviceLibraries {
 public:
  std::vector<std::string> choices() const override;

  std::mutex mutex;
  MatrixProducts products;
#if PY4CAST_CUDNN
  LibraryConvolutions convolutions;
#endif
  // Notes a choice once.
  void note(const std::string& choice);

 private:
  mutable std::mutex choices_mutex_;
  std::vector<std::string> choices_;
};

// Those of the context; made at first use. Null without a GPU, or where the context has no place
// for them: then kernels of our own compute.
CudaLibraries* cuda_libraries(const Context& context);

}  // namespace py4cast
