#include "engine/device.h"

#include <cstdlib>
#include <ostream>
#include <string>

#include "engine/error.h"

namespace py4cast {

std::ostream& operator<<(std::ostream& stream, Device device) {
  if (device.kind == DeviceKind::cpu) return stream << "cpu";
  return stream << "cuda:" << device.index;
}

std::string_view name_of(CpuLevel level) {
  switch (level) {
    case CpuLevel::baseline:
      return "baseline";
    case CpuLevel::avx2:
      return "avx2";
    case CpuLevel::avx512:
      return "avx512";
  }
  return "?";
}

CpuLevel best_cpu_level() {
  CpuLevel best = CpuLevel::baseline;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best = CpuLevel::avx2;
  if (best == CpuLevel::avx2 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    best = CpuLevel::avx512;
#endif
  const char* wanted = std::getenv("PY4CAST_CPU_LEVEL");
  if (!wanted || !*wanted) return best;
  for (CpuLevel level : {CpuLevel::baseline, CpuLevel::avx2, CpuLevel::avx512}) {
    if (name_of(level) != wanted) continue;
    if (level > best)
      throw Error(ErrorKind::configuration, "PY4CAST_CPU_LEVEL=", wanted,
                  ": this processor has no more than ", name_of(best));
    return level;
  }
  throw Error(ErrorKind::configuration, "PY4CAST_CPU_LEVEL=", wanted,
              ": the levels are baseline, avx2 and avx512");
}

}  // namespace py4cast
