#if PY4CAST_CUDA_EMULATED
#include "engine/cuda_emulation.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "engine/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(pointer, bytes) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(pointer, bytes) ((void)0)
#endif

// State of an event: how often it was recorded, and how far the records have come.
struct CUevent_st {
  uint64_t recorded = 0, done = 0;
  cudaStream_t stream = nullptr;         // of the last record
  struct CUgraph_st* capture = nullptr;  // the last record belongs to this capture
  size_t lane = 0, captured = 0;
  std::chrono::steady_clock::time_point time;
};

namespace {

using Event = std::shared_ptr<CUevent_st>;

struct Task {
  enum Kind { work, record, wait } kind = work;
  std::string what;
  std::function<void()> run;  // of work
  Event event;                // of record and wait
  uint64_t version = 0;
};

}  // namespace

struct CUstream_st {
  std::deque<Task> queue;
  CUgraph_st* capture = nullptr;
  size_t lane = 0;
  bool temporary = false;  // a lane of a launched graph: goes when it is empty
};

// A captured graph: one lane for each stream that took part. Events between lanes are numbered.
struct CUgraph_st {
  struct Node {
    Task task;          // event: only of external records and waits
    size_t number = 0;  // of an internal event
  };
  std::vector<std::vector<Node>> lanes;
  std::vector<cudaStream_t> streams;
  size_t events = 0;
  std::string problem;
};

struct CUgraphExec_st {
  CUgraph_st graph;
};

namespace py4cast::emulation {
namespace {

// Device memory: pages of a reserved range of addresses, each allocation followed by a page that
// is never accessible.
class DeviceMemory {
 public:
  DeviceMemory() {
    void* range =
        ::mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) throw Error(ErrorKind::memory, "no addresses for emulated devices");
    base_ = static_cast<std::byte*>(range);
    const char* limit = std::getenv("PY4CAST_EMULATED_MEMORY");
    if (limit) limit_ = std::strtoull(limit, nullptr, 10);
  }

  std::byte* allocate(size_t bytes) {
    if (used_ + bytes > limit_) return nullptr;
    const size_t pages = rounded(bytes) + page;
    size_t at = 0;  // first fit
    for (const auto& [offset, block] : blocks_) {
      if (offset - at >= pages) break;
      at = offset + rounded(block) + page;
    }
    if (at + pages > reserved) return nullptr;
    blocks_[at] = bytes;
    used_ += bytes;
    std::byte* pointer = base_ + at;
    ::mprotect(pointer, rounded(bytes), PROT_READ | PROT_WRITE);
    std::memset(pointer, 0xff, bytes);
    if (!open_) ::mprotect(pointer, rounded(bytes), PROT_NONE);
    ASAN_POISON_MEMORY_REGION(pointer + bytes, rounded(bytes) - bytes);
    return pointer;
  }

  bool release(void* pointer) {
    const auto block = blocks_.find(static_cast<size_t>(static_cast<std::byte*>(pointer) - base_));
    if (block == blocks_.end()) return false;
    const size_t bytes = rounded(block->second);
    ASAN_UNPOISON_MEMORY_REGION(pointer, bytes);
    ::mprotect(pointer, bytes, PROT_NONE);
    ::madvise(pointer, bytes, MADV_DONTNEED);
    used_ -= block->second;
    blocks_.erase(block);
    return true;
  }

  bool holds(const void* pointer) const { return pointer >= base_ && pointer < base_ + reserved; }
  size_t bytes_from(const void* pointer) const {
    if (!holds(pointer)) return 0;
    const auto offset = static_cast<size_t>(static_cast<const std::byte*>(pointer) - base_);
    auto block = blocks_.upper_bound(offset);
    if (block == blocks_.begin()) return 0;
    --block;
    return offset - block->first < block->second ? block->second - (offset - block->first) : 0;
  }
  void open() {
    if (open_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void close() {
    if (--open_ == 0) protect(PROT_NONE);
  }
  bool is_open() const { return open_ > 0; }
  size_t used() const { return used_; }
  size_t limit() const { return limit_; }

 private:
  static constexpr size_t reserved = size_t{1} << 38, page = 4096;
  static size_t rounded(size_t bytes) {
    return (std::max<size_t>(bytes, 1) + page - 1) / page * page;
  }
  void protect(int protection) {
    for (const auto& [offset, bytes] : blocks_)
      ::mprotect(base_ + offset, rounded(bytes), protection);
  }

  std::byte* base_;
  std::map<size_t, size_t> blocks_;  // bytes by offset
  size_t used_ = 0, limit_ = size_t{8} << 30;
  int open_ = 0;
};

struct Machine {
  std::recursive_mutex mutex;
  DeviceMemory memory;
  std::map<const std::byte*, size_t> pinned;
  std::list<cudaStream_t> streams;  // all that have or may have work
  std::map<cudaEvent_t, Event> events;
  CUstream_st null_stream;
  std::set<cudaGraph_t> captures;
  uint64_t choices = 0;
  cudaError_t last = cudaSuccess;
  int device = 0, devices = 1;
  Settings settings;
  std::string (*describe)() = nullptr;
  struct sigaction previous_handler {};

  Machine() {
    if (const char* count = std::getenv("PY4CAST_EMULATED_DEVICES")) devices = std::atoi(count);
    streams.push_back(&null_stream);
  }
};

void install_fault_handler(Machine& machine);

Machine& machine() {
  static Machine* const instance = [] {  // never destroyed: threads may outlive main's statics
    auto* const made = new Machine;
    install_fault_handler(*made);
    return made;
  }();
  return *instance;
}

void say(const char* text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void on_fault(int signal, siginfo_t* info, void* context) {
  Machine& m = machine();
  if (m.memory.holds(info->si_addr)) {
    if (m.memory.is_open()) {
      say("emulated device: a kernel touched memory outside of every allocation: ");
      if (m.describe) say(m.describe().c_str());
    } else {
      say("emulated device: host code touched device memory");
    }
    say("\n");
    ::_exit(139);
  }
  ::sigaction(signal, &m.previous_handler, nullptr);
  if (m.previous_handler.sa_flags & SA_SIGINFO)
    m.previous_handler.sa_sigaction(signal, info, context);
}

void install_fault_handler(Machine& m) {
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigaction(SIGSEGV, &action, &m.previous_handler);
}

using Lock = std::lock_guard<std::recursive_mutex>;

cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess) machine().last = error;
  return error;
}

uint64_t choice() {  // splitmix64
  Machine& m = machine();
  uint64_t z = m.settings.seed * 0x9e3779b97f4a7c15u + ++m.choices * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

bool blocked(cudaStream_t stream) {
  const Task& head = stream->queue.front();
  return head.kind == Task::wait && head.event->done < head.version;
}

// Runs the first task of a stream, which is not blocked.
void step(cudaStream_t stream) {
  Task task = std::move(stream->queue.front());
  stream->queue.pop_front();
  if (task.kind == Task::record) {
    task.event->done = std::max(task.event->done, task.version);
    task.event->time = std::chrono::steady_clock::now();
  } else if (task.kind == Task::work) {
    OpenDeviceMemory open;
    try {
      task.run();
    } catch (...) {
      for (cudaStream_t other : machine().streams) other->queue.clear();
      throw;
    }
  }
}

void forget_finished_lanes() {
  machine().streams.remove_if([](cudaStream_t stream) {
    if (!stream->temporary || !stream->queue.empty()) return false;
    delete stream;
    return true;
  });
}

// One step towards the head of `stream` being done; follows events to the streams that record them.
void advance(cudaStream_t stream) {
  for (size_t hops = 0; hops <= machine().streams.size(); ++hops) {
    if (!blocked(stream)) return step(stream);
    const Task& head = stream->queue.front();
    cudaStream_t next = nullptr;
    for (cudaStream_t other : machine().streams)
      for (const Task& task : other->queue)
        if (task.kind == Task::record && task.event == head.event && task.version >= head.version)
          next = other;
    if (!next) break;
    stream = next;
  }
  throw Error(ErrorKind::internal, "emulated device: streams wait for each other for ever");
}

void run_others() {
  for (;;) {
    std::vector<cudaStream_t> ready;
    for (cudaStream_t stream : machine().streams)
      if (!stream->queue.empty() && !blocked(stream)) ready.push_back(stream);
    if (ready.empty()) return;
    step(ready[choice() % ready.size()]);
  }
}

template <typename Done>
void run_until(cudaStream_t stream, Done&& done) {
  if (done()) return;
  const OpenDeviceMemory open;  // once for all that runs
  const auto policy = machine().settings.streams;
  if (policy == Settings::Streams::others_first ||
      (policy == Settings::Streams::random && choice() % 2))
    run_others();
  while (!done()) advance(stream);
  forget_finished_lanes();
}

cudaStream_t or_null_stream(cudaStream_t stream) {
  return stream ? stream : &machine().null_stream;
}

void drain_all() {
  const auto& streams = machine().streams;
  if (std::all_of(streams.begin(), streams.end(), [](auto* s) { return s->queue.empty(); })) return;
  const OpenDeviceMemory open;
  run_others();
  for (cudaStream_t stream : machine().streams)
    if (!stream->queue.empty()) advance(stream);  // says who waits for ever
  forget_finished_lanes();
}

bool capturing() {
  return !machine().captures.empty();
}

// A call that may not be made while a stream is captured.
bool refused_by_capture() {
  for (cudaGraph_t graph : machine().captures)
    graph->problem = "a synchronising call was made during the capture";
  return capturing();
}

void put(cudaStream_t stream, Task task, size_t number = 0) {
  if (stream->capture)
    stream->capture->lanes[stream->lane].push_back({std::move(task), number});
  else
    stream->queue.push_back(std::move(task));
}

const char* place_of(const void* pointer, size_t bytes, bool* pinned) {
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
  const std::string to_place = place_of(to, bytes, &to_pinned),
                    from_place = place_of(from, bytes, &from_pinned);
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

Settings& settings() {
  return machine().settings;
}

void enqueue(cudaStream_t stream, std::string what, std::function<void()> work) {
  Lock lock(machine().mutex);
  put(or_null_stream(stream), {Task::work, std::move(what), std::move(work), nullptr, 0});
}

OpenDeviceMemory::OpenDeviceMemory() {
  Lock lock(machine().mutex);
  machine().memory.open();
}
OpenDeviceMemory::~OpenDeviceMemory() {
  Lock lock(machine().mutex);
  machine().memory.close();
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

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  Lock lock(machine().mutex);
  if (refused_by_capture()) return result(cudaErrorStreamCaptureUnsupported);
  check_copy("cudaMemcpy", to, from, bytes, kind, false);
  // In order with the null stream alone: whoever needs more must synchronise.
  put(&machine().null_stream,
      {Task::work, "cudaMemcpy", [=] { std::memcpy(to, from, bytes); }, nullptr, 0});
  return cudaStreamSynchronize(nullptr);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  Lock lock(machine().mutex);
  check_copy("cudaMemcpyAsync", to, from, bytes, kind, true);
  enqueue(stream, "cudaMemcpyAsync", [=] { std::memcpy(to, from, bytes); });
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
  enqueue(stream, "cudaMemset", [=] { std::memset(to, byte, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  Lock lock(machine().mutex);
  *stream = new CUstream_st;
  machine().streams.push_back(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Lock lock(machine().mutex);
  if (stream->capture) return result(cudaErrorStreamCaptureUnsupported);
  run_until(stream, [&] { return stream->queue.empty(); });
  machine().streams.remove(stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Lock lock(machine().mutex);
  stream = or_null_stream(stream);
  if (stream->capture) refused_by_capture();
  if (stream->capture) return result(cudaErrorStreamCaptureUnsupported);
  run_until(stream, [&] { return stream->queue.empty(); });
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  Lock lock(machine().mutex);
  stream = or_null_stream(stream);
  if (stream->capture) return result(cudaErrorStreamCaptureUnsupported);
  if (stream->queue.empty()) return cudaSuccess;
  advance(stream);  // whoever polls sees progress
  return cudaErrorNotReady;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  Lock lock(machine().mutex);
  const auto made = std::make_shared<CUevent_st>();
  *event = made.get();
  machine().events[*event] = made;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  Lock lock(machine().mutex);
  return machine().events.erase(event) ? cudaSuccess : result(cudaErrorInvalidValue);
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecordWithFlags(event, stream, cudaEventRecordDefault);
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags) {
  Lock lock(machine().mutex);
  stream = or_null_stream(stream);
  const Event state = machine().events.at(event);
  if (stream->capture && flags != cudaEventRecordExternal) {
    state->capture = stream->capture;
    state->lane = stream->lane;
    state->captured = ++stream->capture->events;
    put(stream, {Task::record, "event", nullptr, nullptr, 1}, state->captured);
    return cudaSuccess;
  }
  // Inside a capture the version is drawn at each launch.
  if (!stream->capture) {
    state->capture = nullptr;
    state->stream = stream;
    ++state->recorded;
  }
  put(stream, {Task::record, "event", nullptr, state, state->recorded});
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  Lock lock(machine().mutex);
  stream = or_null_stream(stream);
  const Event state = machine().events.at(event);
  if (state->capture && flags != cudaEventWaitExternal) {
    CUgraph_st* const graph = state->capture;
    if (!stream->capture) {  // the stream joins the capture
      stream->capture = graph;
      stream->lane = graph->lanes.size();
      graph->lanes.emplace_back();
      graph->streams.push_back(stream);
    }
    put(stream, {Task::wait, "event", nullptr, nullptr, 1}, state->captured);
    return cudaSuccess;
  }
  put(stream, {Task::wait, "event", nullptr, state, state->recorded});
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  Lock lock(machine().mutex);
  const Event state = machine().events.at(event);
  if (state->capture) return result(cudaErrorStreamCaptureUnsupported);
  if (state->done >= state->recorded) return cudaSuccess;
  cudaStream_t recorder = nullptr;
  for (cudaStream_t stream : machine().streams)
    for (const Task& task : stream->queue)
      if (task.kind == Task::record && task.event == state) recorder = stream;
  if (!recorder) return result(cudaErrorInvalidValue);
  const uint64_t version = state->recorded;
  run_until(recorder, [&] { return state->done >= version; });
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  Lock lock(machine().mutex);
  const Event state = machine().events.at(event);
  if (state->done >= state->recorded) return cudaSuccess;
  for (cudaStream_t stream : machine().streams)
    if (!stream->queue.empty() && !blocked(stream)) {
      step(stream);
      break;
    }
  forget_finished_lanes();
  return cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  Lock lock(machine().mutex);
  const Event from = machine().events.at(start), to = machine().events.at(end);
  if (from->done < from->recorded || to->done < to->recorded) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  Lock lock(machine().mutex);
  if (!stream || stream->capture) return result(cudaErrorStreamCaptureUnsupported);
  stream->capture = new CUgraph_st;
  stream->lane = 0;
  stream->capture->lanes.emplace_back();
  stream->capture->streams.push_back(stream);
  machine().captures.insert(stream->capture);
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  Lock lock(machine().mutex);
  *graph = nullptr;
  if (!stream->capture || stream->lane != 0) return result(cudaErrorInvalidValue);
  const std::unique_ptr<CUgraph_st> made(stream->capture);
  machine().captures.erase(made.get());
  for (const auto& [name, event] : machine().events)
    if (event->capture == made.get()) event->capture = nullptr;
  // Every stream that joined must have been waited for by the first one, directly or not.
  std::set<size_t> joined{0};
  for (bool more = true; more;) {
    more = false;
    for (size_t lane = 0; lane < made->lanes.size(); ++lane) {
      if (joined.count(lane) || made->lanes[lane].empty()) continue;
      const auto& last = made->lanes[lane].back();
      if (last.task.kind != Task::record || last.task.event) continue;
      for (size_t other : std::set<size_t>(joined))
        for (const auto& node : made->lanes[other])
          if (node.task.kind == Task::wait && !node.task.event && node.number == last.number)
            more = joined.insert(lane).second || more;
    }
  }
  for (cudaStream_t part : made->streams) part->capture = nullptr;
  if (joined.size() != made->lanes.size())
    made->problem = "a stream that joined the capture was not joined back";
  if (!made->problem.empty()) return result(cudaErrorStreamCaptureInvalidated);
  *graph = new CUgraph_st(*made);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  *executable = new CUgraphExec_st{*graph};
  return cudaSuccess;
}
// Each lane becomes a stream of its own, which starts when the launching stream comes to this
// point and for which that stream waits.
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  Lock lock(machine().mutex);
  stream = or_null_stream(stream);
  if (stream->capture) return result(cudaErrorStreamCaptureUnsupported);
  const CUgraph_st& graph = executable->graph;
  std::vector<Event> internal;
  for (size_t i = 0; i <= graph.events; ++i) internal.push_back(std::make_shared<CUevent_st>());
  const Event begin = std::make_shared<CUevent_st>();
  put(stream, {Task::record, "graph begins", nullptr, begin, 1});
  for (const auto& lane : graph.lanes) {
    auto* const own = new CUstream_st;
    own->temporary = true;
    machine().streams.push_back(own);
    put(own, {Task::wait, "graph begins", nullptr, begin, 1});
    for (const auto& node : lane) {
      Task task = node.task;
      if (task.kind != Task::work && !task.event)
        task.event = internal[node.number];
      else if (task.kind == Task::record) {
        task.version = ++task.event->recorded;
        task.event->stream = own;
      } else if (task.kind == Task::wait) {
        task.version = task.event->recorded;
      }
      put(own, std::move(task));
    }
    const Event end = std::make_shared<CUevent_st>();
    put(own, {Task::record, "graph ends", nullptr, end, 1});
    put(stream, {Task::wait, "graph ends", nullptr, end, 1});
  }
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void*, size_t* count) {
  *count = 0;
  for (const auto& lane : graph->lanes)
    for (const auto& node : lane) *count += node.task.kind == Task::work;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  Lock lock(machine().mutex);
  delete executable;
  return cudaSuccess;
}
#endif
