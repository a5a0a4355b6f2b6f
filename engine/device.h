// Where memory lies and work runs.
#pragma once

#include <iosfwd>
#include <string_view>

namespace py4cast {

enum class DeviceKind { cpu, cuda };

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;
  bool operator==(const Device&) const = default;
};
std::ostream& operator<<(std::ostream& stream, Device device);  // "cpu", "cuda:1"

// A queue of device work; null is the device's default. The CPU has none.
struct Stream {
  void* handle = nullptr;
};

// Instruction sets of CPU kernels, in rising order. The last three differ from avx512 in the
// products of bf16 alone: dot products of pairs, or matrix tiles. amx_emulated has the kernels of
// amx with plain loops in the place of the tile instructions: for tests on processors without them.
enum class CpuLevel { baseline, avx2, avx512, avx512_bf16, amx, amx_emulated };
std::string_view name_of(CpuLevel level);

// The fastest level of this processor, or the one named by the environment variable
// PY4CAST_CPU_LEVEL. Error(configuration): an unknown name, or a level that this processor lacks.
CpuLevel best_cpu_level();
bool has_cpu_level(CpuLevel level);  // of this processor, whatever the environment says

// True where products in bf16 are faster than in fp32: with matrix tiles, or with dot products at
// the rate of multiply-adds.
bool fast_bf16(CpuLevel level);

}  // namespace py4cast
