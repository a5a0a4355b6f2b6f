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

// Instruction sets of CPU kernels, in rising order.
enum class CpuLevel { baseline, avx2, avx512 };
std::string_view name_of(CpuLevel level);

// The best level of this processor, or the lower one named by the environment variable
// PY4CAST_CPU_LEVEL (baseline, avx2, avx512). Error(configuration): an unknown name, or a level
// that this processor lacks.
CpuLevel best_cpu_level();

}  // namespace py4cast
