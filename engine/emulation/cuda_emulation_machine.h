// What the parts of the emulated device share: its memory, streams and captured graphs. Everything
// here is used under the machine's lock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "engine/emulation/cuda_emulation.h"
#include "engine/emulation/cuda_emulation_memory.h"

// State of an event: how often it was recorded, and how far the records have come.
struct CUevent_st {
  uint64_t recorded = 0, done = 0;
  cudaStream_t stream = nullptr;         // of the last record
  struct CUgraph_st* capture = nullptr;  // the last record belongs to this capture
  size_t lane = 0, captured = 0;
  std::chrono::steady_clock::time_point time;
};

namespace py4cast::emulation {

using Event = std::shared_ptr<CUevent_st>;

struct Task {
  enum Kind { work, record, wait } kind = work;
  std::string what;
  std::function<void()> run;  // of work
  Event event;                // of record and wait
  uint64_t version = 0;
};

}  // namespace py4cast::emulation

struct CUstream_st {
  std::deque<py4cast::emulation::Task> queue;
  CUgraph_st* capture = nullptr;
  size_t lane = 0;
  bool temporary = false;  // a lane of a launched graph: goes when it is empty
};

// A captured graph: one lane for each stream that took part. Events between lanes are numbered.
struct CUgraph_st {
  struct Node {
    py4cast::emulation::Task task;  // event: only of external records and waits
    size_t number = 0;              // of an internal event
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

  Machine();
};
Machine& machine();
using Lock = std::lock_guard<std::recursive_mutex>;

// Notes an error for cudaGetLastError and hands it back.
cudaError_t result(cudaError_t error);

cudaStream_t or_null_stream(cudaStream_t stream);
// Puts a task on a stream, or into the graph that is captured from it.
void put(cudaStream_t stream, Task task, size_t number = 0);
bool blocked(cudaStream_t stream);
// Runs the first task of a stream, which is not blocked.
void step(cudaStream_t stream);
// One step towards the head of `stream` being done; follows events to the streams that record them.
void advance(cudaStream_t stream);
// Runs tasks of `stream`, of those that it waits for and, as the settings choose, of all others.
void run_until(cudaStream_t stream, const std::function<bool()>& done);
void drain_all();
void forget_finished_lanes();
// For a call that may not be made while a stream is captured: true, and the captures are spoilt.
bool refused_by_capture();

}  // namespace py4cast::emulation
