// GPUs: what the engine uses of the CUDA runtime, with errors in words. In a build without CUDA
// there are no devices, and everything else is an Error(configuration).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/memory.h"

namespace py4cast {

struct CudaDevice {
  std::string name, uuid;
  int major = 0, minor = 0;  // compute capability
  size_t bytes = 0;          // of memory
  int multiprocessors = 0;
};

// The visible devices (CUDA_VISIBLE_DEVICES); their place in the list is Device::index. Empty if
// this process cannot use any; then `why` tells in words: built without CUDA, no driver, an old
// driver, no device.
std::vector<CudaDevice> cuda_devices(std::string* why = nullptr);
// "CUDA 13.0, driver 13.1"; "" in a build without CUDA.
std::string cuda_versions();

// Not initialised. Error(memory): how much was asked for, and how much is free.
std::shared_ptr<Storage> allocate_device(size_t bytes, Device device, MemoryLedger* ledger,
                                         Owner owner, const std::string& path);
// Host memory that devices copy from and to asynchronously.
std::shared_ptr<Storage> allocate_pinned(size_t bytes, MemoryLedger* ledger, Owner owner,
                                         const std::string& path);

// A queue of device work. It waits for no other stream by itself.
class CudaStream {
 public:
  explicit CudaStream(Device device);
  ~CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  Stream get() const { return stream_; }

 private:
  Device device_;
  Stream stream_;
};

// A point in a stream's work that the host or another stream waits for.
class CudaEvent {
 public:
  explicit CudaEvent(Device device);
  ~CudaEvent();
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  void record(Stream stream);      // this point: all that was put on the stream so far
  void wait(Stream stream) const;  // later work of the stream waits for the point
  void synchronize() const;        // the host waits for it
  bool done() const;
  // While the stream is captured, and only then: a point inside of the graph, reached at each
  // launch, that streams outside of it wait for. A wait that the host asks for after a launch means
  // that launch.
  void record_external(Stream stream);
  void* handle() const { return handle_; }

 private:
  void* handle_ = nullptr;
};

// A step's work, captured from a stream and replayed as one launch.
class CudaGraph {
 public:
  // Calls `work` while the stream only notes what is put on it.
  template <typename Work>
  CudaGraph(Stream stream, Work&& work) : stream_(stream) {
    begin();
    try {
      work();
    } catch (...) {
      abandon();
      throw;
    }
    end();
  }
  ~CudaGraph();
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  void launch(Stream stream) const;
  size_t nodes() const { return nodes_; }

 private:
  void begin();
  void end();
  void abandon();
  Stream stream_;
  void* executable_ = nullptr;
  size_t nodes_ = 0;
};

// Whether what is put on the stream now goes into a graph (the default stream is never captured).
bool is_captured(Stream stream);

// Makes the device the one that this thread's calls go to.
void use_device(Device device);
void synchronize(Device device);  // all work of the device
void synchronize(Stream stream);
// Contiguous tensors of the same size in bytes; at least one of them in device memory, host memory
// pinned.
void copy_async(const Tensor& from, const Tensor& to, Stream stream);
// The same between any memories, after all work of the device; waits until it is done.
void copy_now(const Tensor& from, const Tensor& to);
// Every byte of a contiguous tensor, on its device; at once on the host.
void fill_bytes(const Tensor& tensor, int byte, Stream stream);

// For calls of the runtime API in .cu files: Error(internal) with the call and CUDA's own words.
void check_cuda(int error, const char* call);

void start_profiler();
void stop_profiler();

}  // namespace py4cast
