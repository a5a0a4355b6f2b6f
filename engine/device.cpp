#include "engine/device.h"

#include <array>
#include <cstdlib>
#include <ostream>
#include <string>

#include "engine/error.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace py4cast {

std::ostream& operator<<(std::ostream& stream, Device device) {
  if (device.kind == DeviceKind::cpu) return stream << "cpu";
  return stream << "cuda:" << device.index;
}

namespace {

constexpr std::array<std::string_view, 6> level_names = {"baseline",    "avx2", "avx512",
                                                         "avx512_bf16", "amx",  "amx_emulated"};

#if defined(__x86_64__) && defined(__linux__)
// By the processor's own words: clang 16 knows no names of these features.
bool has_tiles_of_bf16() {
  unsigned int a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned int bf16 = 1u << 22, tile = 1u << 24;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & bf16) && (d & tile);
}
// The system gives a process the registers of tiles when it asks.
bool may_use_tiles() {
  constexpr int request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XTILEDATA
  return ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#endif

CpuLevel processor_level() {
  CpuLevel best = CpuLevel::baseline;
#if defined(__x86_64__) && defined(__linux__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best = CpuLevel::avx2;
  if (best == CpuLevel::avx2 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    best = CpuLevel::avx512;
  if (best == CpuLevel::avx512 && __builtin_cpu_supports("avx512bf16"))
    best = CpuLevel::avx512_bf16;
  if (best == CpuLevel::avx512_bf16 && has_tiles_of_bf16() && may_use_tiles()) best = CpuLevel::amx;
#endif
  return best;
}

}  // namespace

std::string_view name_of(CpuLevel level) {
  return level_names.at(static_cast<size_t>(level));
}

bool has_cpu_level(CpuLevel level) {
  static const CpuLevel best = processor_level();
  return level == CpuLevel::amx_emulated ? best >= CpuLevel::avx512 : level <= best;
}

bool fast_bf16(CpuLevel level) {
#if defined(__x86_64__) && defined(__linux__)
  // A dot product of pairs is two multiply-adds. AMD's processors (measured: Zen 4 and Zen 5) start
  // as many of them in a cycle as multiply-adds. Intel's (measured: one with AMX) start a quarter.
  if (level == CpuLevel::avx512_bf16) return __builtin_cpu_is("amd");
#endif
  return level == CpuLevel::amx;
}

CpuLevel best_cpu_level() {
  CpuLevel best = CpuLevel::amx;
  while (!has_cpu_level(best) || (best == CpuLevel::avx512_bf16 && !fast_bf16(best)))
    best = static_cast<CpuLevel>(static_cast<int>(best) - 1);
  const char* wanted = std::getenv("PY4CAST_CPU_LEVEL");
  if (!wanted || !*wanted) return best;
  std::string names;
  for (size_t i = 0; i < level_names.size(); ++i) {
    const auto level = static_cast<CpuLevel>(i);
    names += (i ? ", " : "") + std::string(level_names[i]);
    if (level_names[i] != wanted) continue;
    if (!has_cpu_level(level))
      throw Error(ErrorKind::configuration, "PY4CAST_CPU_LEVEL=", wanted,
                  ": this processor has no more than ", name_of(best));
    return level;
  }
  throw Error(ErrorKind::configuration, "PY4CAST_CPU_LEVEL=", wanted, ": the levels are ", names);
}

}  // namespace py4cast
