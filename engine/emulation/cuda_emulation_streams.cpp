#if PY4CAST_CUDA_EMULATED
#include <algorithm>
#include <utility>

#include "engine/emulation/cuda_emulation_machine.h"
#include "engine/error.h"

namespace py4cast::emulation {
namespace {

uint64_t choice() {  // splitmix64
  Machine& m = machine();
  uint64_t z = m.settings.seed * 0x9e3779b97f4a7c15u + ++m.choices * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
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

}  // namespace

cudaStream_t or_null_stream(cudaStream_t stream) {
  return stream ? stream : &machine().null_stream;
}

void put(cudaStream_t stream, Task task, size_t number) {
  if (stream->capture)
    stream->capture->lanes[stream->lane].push_back({std::move(task), number});
  else
    stream->queue.push_back(std::move(task));
}

bool blocked(cudaStream_t stream) {
  const Task& head = stream->queue.front();
  return head.kind == Task::wait && head.event->done < head.version;
}

void step(cudaStream_t stream) {
  Task task = std::move(stream->queue.front());
  stream->queue.pop_front();
  if (task.kind == Task::record) {
    task.event->done = std::max(task.event->done, task.version);
    task.event->time = std::chrono::steady_clock::now();
  } else if (task.kind == Task::work) {
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

void run_until(cudaStream_t stream, const std::function<bool()>& done) {
  if (done()) return;
  const auto policy = machine().settings.streams;
  if (policy == Settings::Streams::others_first ||
      (policy == Settings::Streams::random && choice() % 2))
    run_others();
  while (!done()) advance(stream);
  forget_finished_lanes();
}

void drain_all() {
  const auto& streams = machine().streams;
  if (std::all_of(streams.begin(), streams.end(), [](auto* s) { return s->queue.empty(); })) return;
  run_others();
  for (cudaStream_t stream : machine().streams)
    if (!stream->queue.empty()) advance(stream);  // says who waits for ever
  forget_finished_lanes();
}

void enqueue(cudaStream_t stream, std::string what, std::function<void()> work) {
  Lock lock(machine().mutex);
  put(or_null_stream(stream), {Task::work, std::move(what), std::move(work), nullptr, 0});
}

}  // namespace py4cast::emulation

using namespace py4cast::emulation;

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
  // Outside of a capture the flag is refused, as it is on a device.
  if (!stream->capture && flags == cudaEventRecordExternal) return result(cudaErrorInvalidValue);
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
#endif
