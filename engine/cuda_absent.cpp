// Builds without CUDA: there are no devices, and whoever asks for one is told so.
#if !PY4CAST_CUDA
#include <cstring>

#include "engine/cuda.h"
#include "engine/error.h"

namespace py4cast {
namespace {

constexpr const char* absent = "this program was built without CUDA (PY4CAST_CUDA=OFF)";
[[noreturn]] void refuse() {
  throw Error(ErrorKind::configuration, absent);
}

}  // namespace

void check_cuda(int, const char*) {
  refuse();
}
std::vector<CudaDevice> cuda_devices(std::string* why) {
  if (why) *why = absent;
  return {};
}
std::string cuda_versions() {
  return "";
}
std::shared_ptr<Storage> allocate_device(size_t, Device, MemoryLedger*, Owner, const std::string&) {
  refuse();
}
std::shared_ptr<Storage> allocate_pinned(size_t, MemoryLedger*, Owner, const std::string&) {
  refuse();
}
CudaStream::CudaStream(Device) {
  refuse();
}
CudaStream::~CudaStream() = default;
CudaEvent::CudaEvent(Device) {
  refuse();
}
CudaEvent::~CudaEvent() = default;
void CudaEvent::record(Stream) {
  refuse();
}
void CudaEvent::record_external(Stream) {
  refuse();
}
void CudaEvent::wait(Stream) const {
  refuse();
}
void CudaEvent::synchronize() const {
  refuse();
}
bool CudaEvent::done() const {
  refuse();
}
bool is_captured(Stream) {
  return false;
}
void CudaGraph::begin() {
  refuse();
}
void CudaGraph::end() {
  refuse();
}
void CudaGraph::abandon() {}
CudaGraph::~CudaGraph() = default;
void CudaGraph::launch(Stream) const {
  refuse();
}
void use_device(Device) {
  refuse();
}
void synchronize(Device) {
  refuse();
}
void synchronize(Stream) {
  refuse();
}
void copy_async(const Tensor&, const Tensor&, Stream) {
  refuse();
}
void copy_now(const Tensor&, const Tensor&) {
  refuse();
}
void fill_bytes(const Tensor& tensor, int byte, Stream) {
  std::memset(tensor.raw(), byte, tensor.bytes());
}
void start_profiler() {
  refuse();
}
void stop_profiler() {
  refuse();
}

}  // namespace py4cast
#endif
