#include "train/precision.h"

#include "engine/error.h"

namespace py4cast {

void set_precision(Runtime& runtime, const std::string& precision) {
  if (precision == "tf32" && runtime.device().kind == DeviceKind::cpu)
    throw Error(ErrorKind::configuration,
                "precision tf32: only GPUs compute in it, and the device is ",
                runtime.description(), "; fp32, bf16 and fp64 are the precisions of the CPU");
  runtime.set_precision(precision == "bf16"   ? Precision::bf16
                        : precision == "tf32" ? Precision::tf32
                        : precision == "fp64" ? Precision::fp64
                                              : Precision::fp32);
}

std::string precision_warning(const Context& context) {
  if (context.precision != Precision::bf16 || context.device.kind != DeviceKind::cpu ||
      fast_bf16(context.cpu_level))
    return {};
  return "precision bf16: instruction level " + std::string(name_of(context.cpu_level)) +
         " of this processor has no fast products in bf16 (matrix tiles, or dot products as fast "
         "as multiply-adds), so training takes at least as long as in fp32, in less memory";
}

}  // namespace py4cast
