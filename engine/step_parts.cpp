#include "engine/step_parts.h"

#include "engine/cuda.h"

#if PY4CAST_NVTX
#include <nvtx3/nvToolsExt.h>
#endif

namespace py4cast {

PartRange::PartRange(const Context& context, StepPart part, StepSeconds* seconds)
    : device_(context.device),
      stream_(context.stream),
      seconds_(seconds && !context.dry() ? &(*seconds)[static_cast<size_t>(part)] : nullptr) {
#if PY4CAST_NVTX
  nvtxRangePushA(step_part_names[static_cast<size_t>(part)]);
#endif
}

PartRange::~PartRange() {
#if PY4CAST_NVTX
  nvtxRangePop();
#endif
  if (!seconds_) return;
  if (device_.kind != DeviceKind::cpu) synchronize(stream_);
  *seconds_ += time_.seconds();
}

}  // namespace py4cast
