#if PY4CAST_CUDA
#include "engine/cuda.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "engine/cuda_runtime.h"
#include "engine/error.h"

namespace py4cast {
namespace {

cudaStream_t native(Stream stream) {
  return static_cast<cudaStream_t>(stream.handle);
}
cudaEvent_t native_event(void* handle) {
  return static_cast<cudaEvent_t>(handle);
}

#define PY4CAST_CHECK_CUDA(call) check_cuda(static_cast<int>(call), #call)
// In destructors: an error there has been reported by the work before.
#define PY4CAST_IGNORE_CUDA(call) static_cast<void>(call)

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

class DeviceBlock : public Storage {
 public:
  DeviceBlock(size_t bytes, Device device, MemoryLedger* ledger, Owner owner,
              const std::string& path)
      : Storage(nullptr, bytes, device), ledger_(ledger) {
    use_device(device);
    void* pointer = nullptr;
    const cudaError_t error = cudaMalloc(&pointer, bytes ? bytes : 1);
    if (error == cudaErrorMemoryAllocation) {
      size_t free = 0, total = 0;
      PY4CAST_IGNORE_CUDA(cudaGetLastError());
      PY4CAST_IGNORE_CUDA(cudaMemGetInfo(&free, &total));
      throw Error(ErrorKind::memory, device, " has no ", bytes, " bytes for the ", name_of(owner),
                  path.empty() ? "" : " of ", path, ": ", free, " of its ", total,
                  " bytes are free");
    }
    check_cuda(static_cast<int>(error), "cudaMalloc");
    data_ = static_cast<std::byte*>(pointer);
    if (ledger_) id_ = ledger_->add(Space::device, owner, bytes, path);
  }
  ~DeviceBlock() override {
    PY4CAST_IGNORE_CUDA(cudaFree(data_));
    if (ledger_) ledger_->remove(id_);
  }

 private:
  MemoryLedger* ledger_;
  uint64_t id_ = 0;
};

class PinnedBlock : public Storage {
 public:
  PinnedBlock(size_t bytes, MemoryLedger* ledger, Owner owner, const std::string& path)
      : Storage(nullptr, bytes, Device{}), ledger_(ledger) {
    void* pointer = nullptr;
    if (cudaMallocHost(&pointer, bytes ? bytes : 1) != cudaSuccess) {
      PY4CAST_IGNORE_CUDA(cudaGetLastError());
      throw Error(ErrorKind::memory, "no ", bytes, " bytes of pinned host memory for the ",
                  name_of(owner), path.empty() ? "" : " of ", path);
    }
    data_ = static_cast<std::byte*>(pointer);
    if (ledger_) id_ = ledger_->add(Space::pinned, owner, bytes, path);
  }
  ~PinnedBlock() override {
    PY4CAST_IGNORE_CUDA(cudaFreeHost(data_));
    if (ledger_) ledger_->remove(id_);
  }

 private:
  MemoryLedger* ledger_;
  uint64_t id_ = 0;
};

}  // namespace

void check_cuda(int error, const char* call) {
  if (error == cudaSuccess) return;
  const auto code = static_cast<cudaError_t>(error);
  PY4CAST_IGNORE_CUDA(cudaGetLastError());
  // Failures of work that runs, such as an illegal address: any later call may be told of them.
  constexpr int of_work[] = {214, 220, 226, 700, 702, 710, 714, 715, 716, 717, 718, 719};
  const bool late = std::find(std::begin(of_work), std::end(of_work), error) != std::end(of_work);
  throw Error(ErrorKind::internal, call, ": ", cudaGetErrorString(code), " (",
              cudaGetErrorName(code), ")",
              late ? ", by work that was put on the GPU before; CUDA_LAUNCH_BLOCKING=1 and "
                     "compute-sanitizer show by which"
                   : "");
}

std::vector<CudaDevice> cuda_devices(std::string* why) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    PY4CAST_IGNORE_CUDA(cudaGetLastError());
    int driver = 0, runtime = 0;
    PY4CAST_IGNORE_CUDA(cudaDriverGetVersion(&driver));
    PY4CAST_IGNORE_CUDA(cudaRuntimeGetVersion(&runtime));
    if (why)
      *why = driver == 0 ? "this machine has no NVIDIA driver"
             : error == cudaErrorInsufficientDriver
                 ? "the NVIDIA driver is too old: it serves CUDA " + version(driver) +
                       ", this program needs " + version(runtime)
             : error == cudaErrorNoDevice || count == 0
                 ? "no GPU is visible (CUDA_VISIBLE_DEVICES may hide them)"
                 : std::string("CUDA does not start: ") + cudaGetErrorString(error);
    return {};
  }
  std::vector<CudaDevice> devices;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties;
    PY4CAST_CHECK_CUDA(cudaGetDeviceProperties(&properties, index));
    std::string uuid = "GPU-";
    for (int i = 0; i < 16; ++i) {
      char digits[4];
      std::snprintf(digits, sizeof digits, "%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(properties.uuid.bytes[i])));
      if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
      uuid += digits;
    }
    devices.push_back({properties.name, uuid, properties.major, properties.minor,
                       properties.totalGlobalMem, properties.multiProcessorCount});
  }
  return devices;
}

std::string cuda_versions() {
  int driver = 0, runtime = 0;
  PY4CAST_IGNORE_CUDA(cudaDriverGetVersion(&driver));
  PY4CAST_IGNORE_CUDA(cudaRuntimeGetVersion(&runtime));
  return "CUDA " + version(runtime) + ", " + (driver ? "driver " + version(driver) : "no driver");
}

std::shared_ptr<Storage> allocate_device(size_t bytes, Device device, MemoryLedger* ledger,
                                         Owner owner, const std::string& path) {
  return std::make_shared<DeviceBlock>(bytes, device, ledger, owner, path);
}

std::shared_ptr<Storage> allocate_pinned(size_t bytes, MemoryLedger* ledger, Owner owner,
                                         const std::string& path) {
  return std::make_shared<PinnedBlock>(bytes, ledger, owner, path);
}

CudaStream::CudaStream(Device device) : device_(device) {
  use_device(device);
  cudaStream_t stream = nullptr;
  PY4CAST_CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  stream_.handle = stream;
}
CudaStream::~CudaStream() {
  PY4CAST_IGNORE_CUDA(cudaStreamDestroy(native(stream_)));
}

CudaEvent::CudaEvent(Device device) {
  use_device(device);
  cudaEvent_t event = nullptr;
  PY4CAST_CHECK_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  handle_ = event;
}
CudaEvent::~CudaEvent() {
  PY4CAST_IGNORE_CUDA(cudaEventDestroy(native_event(handle_)));
}
void CudaEvent::record(Stream stream) {
  PY4CAST_CHECK_CUDA(cudaEventRecord(native_event(handle_), native(stream)));
}
void CudaEvent::record_external(Stream stream) {
  PY4CAST_CHECK_CUDA(
      cudaEventRecordWithFlags(native_event(handle_), native(stream), cudaEventRecordExternal));
}
void CudaEvent::wait(Stream stream) const {
  PY4CAST_CHECK_CUDA(cudaStreamWaitEvent(native(stream), native_event(handle_), 0));
}
void CudaEvent::synchronize() const {
  PY4CAST_CHECK_CUDA(cudaEventSynchronize(native_event(handle_)));
}
bool CudaEvent::done() const {
  const cudaError_t error = cudaEventQuery(native_event(handle_));
  if (error == cudaErrorNotReady) return false;
  check_cuda(static_cast<int>(error), "cudaEventQuery");
  return true;
}

bool is_captured(Stream stream) {
  if (!stream.handle) return false;
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  PY4CAST_CHECK_CUDA(cudaStreamIsCapturing(native(stream), &status));
  return status != cudaStreamCaptureStatusNone;
}

void CudaGraph::begin() {
  PY4CAST_CHECK_CUDA(cudaStreamBeginCapture(native(stream_), cudaStreamCaptureModeThreadLocal));
}
void CudaGraph::end() {
  cudaGraph_t graph = nullptr;
  PY4CAST_CHECK_CUDA(cudaStreamEndCapture(native(stream_), &graph));
  cudaGraphExec_t executable = nullptr;
  cudaError_t error = cudaGraphGetNodes(graph, nullptr, &nodes_);
  if (error == cudaSuccess) error = cudaGraphInstantiate(&executable, graph, 0);
  PY4CAST_IGNORE_CUDA(cudaGraphDestroy(graph));
  check_cuda(static_cast<int>(error), "cudaGraphInstantiate");
  executable_ = executable;
}
void CudaGraph::abandon() {
  cudaGraph_t graph = nullptr;
  PY4CAST_IGNORE_CUDA(cudaStreamEndCapture(native(stream_), &graph));
  if (graph) PY4CAST_IGNORE_CUDA(cudaGraphDestroy(graph));
  PY4CAST_IGNORE_CUDA(cudaGetLastError());
}
CudaGraph::~CudaGraph() {
  if (executable_)
    PY4CAST_IGNORE_CUDA(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(executable_)));
}
void CudaGraph::launch(Stream stream) const {
  PY4CAST_CHECK_CUDA(cudaGraphLaunch(static_cast<cudaGraphExec_t>(executable_), native(stream)));
}

void use_device(Device device) {
  PY4CAST_CHECK_CUDA(cudaSetDevice(device.index));
}
void synchronize(Device device) {
  use_device(device);
  PY4CAST_CHECK_CUDA(cudaDeviceSynchronize());
}
void synchronize(Stream stream) {
  PY4CAST_CHECK_CUDA(cudaStreamSynchronize(native(stream)));
}

void copy_async(const Tensor& from, const Tensor& to, Stream stream) {
  if (from.bytes() != to.bytes() || !from.contiguous() || !to.contiguous())
    throw Error(ErrorKind::internal, "a copy from ", from.shape(), " to ", to.shape());
  PY4CAST_CHECK_CUDA(
      cudaMemcpyAsync(to.raw(), from.raw(), from.bytes(), cudaMemcpyDefault, native(stream)));
}

void copy_now(const Tensor& from, const Tensor& to) {
  const Device device = from.device().kind == DeviceKind::cuda ? from.device() : to.device();
  synchronize(device);
  PY4CAST_CHECK_CUDA(cudaMemcpy(to.raw(), from.raw(), from.bytes(), cudaMemcpyDefault));
  // It may return before the bytes arrive, from pageable memory and inside of the device, and the
  // engine's streams do not wait for the one it used.
  synchronize(device);
}

void fill_bytes(const Tensor& tensor, int byte, Stream stream) {
  if (tensor.device().kind == DeviceKind::cpu)
    std::memset(tensor.raw(), byte, tensor.bytes());
  else
    PY4CAST_CHECK_CUDA(cudaMemsetAsync(tensor.raw(), byte, tensor.bytes(), native(stream)));
}

void start_profiler() {
  PY4CAST_CHECK_CUDA(cudaProfilerStart());
}
void stop_profiler() {
  PY4CAST_CHECK_CUDA(cudaProfilerStop());
}

}  // namespace py4cast
#endif
