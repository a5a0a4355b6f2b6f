#if PY4CAST_CUDA_EMULATED
#include <memory>
#include <utility>

#include "engine/emulation/cuda_emulation_machine.h"

namespace py4cast::emulation {

bool refused_by_capture() {
  for (cudaGraph_t graph : machine().captures)
    graph->problem = "a synchronising call was made during the capture";
  return !machine().captures.empty();
}

}  // namespace py4cast::emulation

using namespace py4cast::emulation;

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  Lock lock(machine().mutex);
  *status = !stream->capture                   ? cudaStreamCaptureStatusNone
            : stream->capture->problem.empty() ? cudaStreamCaptureStatusActive
                                               : cudaStreamCaptureStatusInvalidated;
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
