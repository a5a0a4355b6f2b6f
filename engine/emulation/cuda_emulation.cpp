#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/cuda_emulation.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "engine/emulation/cuda_emulation_machine.h"
#include "engine/error.h"

namespace py4cast::emulation {
namespace {

struct sigaction previous_handler {};

void say(const char* text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void on_fault(int signal, siginfo_t* info, void* context) {
  Machine& m = machine();
  const bool there = m.memory.holds_bytes(info->si_addr);
  if (there || m.memory.holds(info->si_addr)) {
    say(there ? "emulated device: a kernel touched memory outside of every allocation: "
              : "emulated device: host code touched device memory: ");
    say(m.describe ? m.describe().c_str() : "no kernel");
    say("\n");
    ::_exit(139);
  }
  ::sigaction(signal, &previous_handler, nullptr);
  if (previous_handler.sa_flags & SA_SIGINFO) previous_handler.sa_sigaction(signal, info, context);
}

void install_fault_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigaction(SIGSEGV, &action, &previous_handler);
}

const char* kind_of_memory(const void* pointer, size_t bytes, bool* pinned) {
  Machine& m = machine();
  *pinned = false;
  if (m.memory.holds(pointer)) return m.memory.bytes_from(pointer) >= bytes ? "device" : "outside";
  auto block = m.pinned.upper_bound(static_cast<const std::byte*>(pointer));
  if (block != m.pinned.begin()) {
    --block;
    const auto* from = static_cast<const std::byte*>(pointer);
    if (from < block->first + block->second) {
      *pinned = true;
      if (from + bytes > block->first + block->second) return "outside";
    }
  }
  return "host";
}

void check_copy(const char* call, const void* to, const void* from, size_t bytes,
                cudaMemcpyKind kind, bool asynchronous) {
  bool to_pinned, from_pinned;
  const std::string to_place = kind_of_memory(to, bytes, &to_pinned),
                    from_place = kind_of_memory(from, bytes, &from_pinned);
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::internal, "emulated device: ", call, " of ", bytes, " bytes from ",
                from_place, " to ", to_place, " memory: ", why);
  };
  if (to_place == "outside" || from_place == "outside") fail("it leaves its allocation");
  const bool to_device = to_place == "device", from_device = from_place == "device";
  if (kind != cudaMemcpyDefault &&
      kind != (from_device ? (to_device ? cudaMemcpyDeviceToDevice : cudaMemcpyDeviceToHost)
                           : (to_device ? cudaMemcpyHostToDevice : cudaMemcpyHostToHost)))
    fail("that is another kind than was named");
  if (asynchronous && ((!to_device && !to_pinned) || (!from_device && !from_pinned)))
    fail("the host memory is not pinned");
}

}  // namespace

Machine::Machine() {
  if (const char* count = std::getenv("PY4CAST_EMULATED_DEVICES")) devices = std::atoi(count);
  streams.push_back(&null_stream);
}

Machine& machine() {
  static Machine* const instance = [] {  // never destroyed: threads may outlive main's statics
    auto* const made = new Machine;
    install_fault_handler();
    return made;
  }();
  return *instance;
}

cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess) machine().last = error;
  return error;
}

Settings& settings() {
  return machine().settings;
}

void* device_bytes(const void* pointer) {
  return machine().memory.bytes_at(pointer);
}

size_t device_bytes_from(const void* pointer) {
  Lock lock(machine().mutex);
  return machine().memory.bytes_from(pointer);
}

void set_fault_describer(std::string (*describe)()) {
  machine().describe = describe;
}

}  // namespace py4cast::emulation

using namespace py4cast::emulation;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
  }
  return "?";
}
const char* cudaGetErrorString(cudaError_t error) {
  return cudaGetErrorName(error);
}

cudaError_t cudaGetLastError() {
  Lock lock(machine().mutex);
  return std::exchange(machine().last, cudaSuccess);
}
cudaError_t cudaPeekAtLastError() {
  Lock lock(machine().mutex);
  return machine().last;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = machine().devices;
  return *count > 0 ? cudaSuccess : result(cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= machine().devices) return result(cudaErrorInvalidDevice);
  machine().device = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = machine().device;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= machine().devices) return result(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "emulated device");
  std::memset(properties->uuid.bytes, 0, sizeof properties->uuid.bytes);
  properties->uuid.bytes[15] = static_cast<char>(device + 1);
  properties->totalGlobalMem = machine().memory.limit();
  properties->major = 9;
  properties->multiProcessorCount = 132;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  Lock lock(machine().mutex);
  *total = machine().memory.limit();
  *free = *total - machine().memory.used();
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  Lock lock(machine().mutex);
  if (refused_by_capture()) return result(cudaErrorStreamCaptureUnsupported);
  drain_all();
  return cudaSuccess;
}
cudaError_t cudaProfilerStart() {
  return cudaSuccess;
}
cudaError_t cudaProfilerStop() {
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  Lock lock(machine().mutex);
  if (refused_by_capture()) return result(cudaErrorStreamCaptureUnsupported);
  *pointer = machine().memory.allocate(bytes);
  return *pointer ? cudaSuccess : result(cudaErrorMemoryAllocation);
}
// As on a device, this waits for all work.
cudaError_t cudaFree(void* pointer) {
  Lock lock(machine().mutex);
  if (!pointer) return cudaSuccess;
  if (refused_by_capture()) return result(cudaErrorStreamCaptureUnsupported);
  drain_all();
  return machine().memory.release(pointer) ? cudaSuccess : result(cudaErrorInvalidValue);
}
cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  Lock lock(machine().mutex);
  *pointer = std::aligned_alloc(4096, (std::max<size_t>(bytes, 1) + 4095) / 4096 * 4096);
  if (!*pointer) return result(cudaErrorMemoryAllocation);
  machine().pinned[static_cast<std::byte*>(*pointer)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* pointer) {
  Lock lock(machine().mutex);
  if (!pointer) return cudaSuccess;
  if (refused_by_capture()) return result(cudaErrorStreamCaptureUnsupported);
  drain_all();
  if (!machine().pinned.erase(static_cast<std::byte*>(pointer)))
    return result(cudaErrorInvalidValue);
  std::free(pointer);
  return cudaSuccess;
}

// In order with the null stream alone. Done at return are only copies to the host and from pinned
// memory ("API synchronization behavior"); pageable memory has been read by then, but may not have
// arrived.
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  Lock lock(machine().mutex);
  if (refused_by_capture()) return result(cudaErrorStreamCaptureUnsupported);
  check_copy("cudaMemcpy", to, from, bytes, kind, false);
  bool pinned = false;
  kind_of_memory(from, bytes, &pinned);
  const bool waits = !machine().memory.holds(to) || pinned;
  std::function<void()> work = [=] { std::memcpy(device_bytes(to), device_bytes(from), bytes); };
  if (!waits && !machine().memory.holds(from)) {
    const auto* first = static_cast<const std::byte*>(from);
    work = [=, staged = std::vector<std::byte>(first, first + bytes)] {
      std::copy(staged.begin(), staged.end(), static_cast<std::byte*>(device_bytes(to)));
    };
  }
  put(&machine().null_stream, {Task::work, "cudaMemcpy", std::move(work), nullptr, 0});
  return waits ? cudaStreamSynchronize(nullptr) : cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  Lock lock(machine().mutex);
  check_copy("cudaMemcpyAsync", to, from, bytes, kind, true);
  enqueue(stream, "cudaMemcpyAsync",
          [=] { std::memcpy(device_bytes(to), device_bytes(from), bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemset(void* to, int byte, size_t bytes) {
  Lock lock(machine().mutex);
  if (refused_by_capture()) return result(cudaErrorStreamCaptureUnsupported);
  const cudaError_t error = cudaMemsetAsync(to, byte, bytes, nullptr);
  return error == cudaSuccess ? cudaStreamSynchronize(nullptr) : error;
}
cudaError_t cudaMemsetAsync(void* to, int byte, size_t bytes, cudaStream_t stream) {
  Lock lock(machine().mutex);
  if (machine().memory.bytes_from(to) < bytes)
    throw py4cast::Error(py4cast::ErrorKind::internal, "emulated device: cudaMemset of ", bytes,
                         " bytes leaves its allocation");
  enqueue(stream, "cudaMemset", [=] { std::memset(device_bytes(to), byte, bytes); });
  return cudaSuccess;
}
#endif
