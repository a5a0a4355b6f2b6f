// Steps that are planned, captured and replayed.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engine/context.h"
#include "engine/cuda.h"

namespace py4cast {

// Runs the steps of one arena. On a GPU each kind of step (key) runs twice as it is, is then
// captured as a graph, and from then on replayed by one launch. So a step of the same key must put
// the same work on the stream each time: what changes from step to step (batch, learning rate)
// stands in device memory at fixed addresses, and the host reads no result inside of it. Where the
// arena has to move to more memory, steps are captured anew.
class StepGraphs {
 public:
  // Without `capture`, and on the CPU, every step runs as it is.
  StepGraphs(StepArena& arena, const Context& context, bool capture);
  ~StepGraphs();
  StepGraphs(const StepGraphs&) = delete;
  StepGraphs& operator=(const StepGraphs&) = delete;

  template <typename Step>
  void run(const std::string& key, Step&& step) {
    drop_outdated();
    Entry& entry = entries_[key];
    if (!entry.graph && !(capture_ && entry.runs >= runs_before_capture)) {
      ++entry.runs;
      return arena_.run(key, step);
    }
    if (!entry.graph) {
      const Capturing capturing(*this);
      entry.graph = std::make_unique<CudaGraph>(stream_, [&] { arena_.run(key, step); });
      ledger_->count(Resource::graph, "step", 1);
    }
    entry.graph->launch(stream_);
  }
  int64_t captured() const;                      // kinds of steps that are replayed
  int64_t launches() const;                      // in the graphs of all of these
  bool capturing() const { return capturing_; }  // the step at work is being captured

 private:
  static constexpr int runs_before_capture = 2;
  struct Entry {
    int runs = 0;
    std::unique_ptr<CudaGraph> graph;
  };
  struct Capturing {
    explicit Capturing(StepGraphs& graphs) : flag(graphs.capturing_) { flag = true; }
    ~Capturing() { flag = false; }
    Capturing(const Capturing&) = delete;
    Capturing& operator=(const Capturing&) = delete;
    bool& flag;
  };
  void drop_outdated();

  StepArena& arena_;
  MemoryLedger* ledger_;
  Stream stream_;
  bool capture_, capturing_ = false;
  size_t capacity_ = 0;  // of the arena when the graphs were captured
  std::map<std::string, Entry> entries_;
};

}  // namespace py4cast
