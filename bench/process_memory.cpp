#include "bench/process_memory.h"

#include <hdf5.h>
#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#if PY4CAST_CUDA
#include "engine/cuda_runtime.h"
#endif

namespace py4cast {
namespace {

// "NAME:   NUMBER ..." in a file of /proc; 0 without that line.
double number_in(const char* file, const std::string& name) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);)
    if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1));
  return 0;
}

// Of control groups of version 2, then 1: in a container the own one is the root.
const char* cgroup_file() {
  for (const char* file :
       {"/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"})
    if (std::ifstream(file)) return file;
  return nullptr;
}

double descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<double>(std::distance(begin(all), end(all)));
}

}  // namespace

double live_heap() {
  const struct mallinfo2 heap = mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd);
}

std::map<std::string, double> process_memory(Device device) {
  std::map<std::string, double> result;
  ::malloc_trim(0);
  result["heap"] = live_heap();
  result["rss"] = 1024 * number_in("/proc/self/smaps_rollup", "Rss");
  result["pss"] = 1024 * number_in("/proc/self/smaps_rollup", "Pss");
  result["descriptors"] = descriptors();
  result["threads"] = number_in("/proc/self/status", "Threads");
  result["hdf5_objects"] = static_cast<double>(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL));
  if (const char* file = cgroup_file()) std::ifstream(file) >> result["cgroup"];
#if PY4CAST_CUDA
  size_t free = 0, total = 0;
  if (device.kind == DeviceKind::cuda && cudaMemGetInfo(&free, &total) == cudaSuccess)
    result["device"] = static_cast<double>(total - free);
#else
  static_cast<void>(device);
#endif
  return result;
}

}  // namespace py4cast
