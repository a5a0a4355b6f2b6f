#include "engine/step_graphs.h"

#include <algorithm>

namespace py4cast {

StepGraphs::StepGraphs(StepArena& arena, const Context& context, bool capture)
    : arena_(arena),
      ledger_(context.ledger),
      stream_(context.stream),
      capture_(capture && context.device.kind == DeviceKind::cuda) {}

StepGraphs::~StepGraphs() {
  ledger_->count(Resource::graph, "step", -captured());
}

int64_t StepGraphs::captured() const {
  return std::count_if(entries_.begin(), entries_.end(),
                       [](const auto& entry) { return entry.second.graph != nullptr; });
}

int64_t StepGraphs::launches() const {
  size_t nodes = 0;
  for (const auto& [key, entry] : entries_) nodes += entry.graph ? entry.graph->nodes() : 0;
  return static_cast<int64_t>(nodes);
}

// A graph holds addresses of the arena.
void StepGraphs::drop_outdated() {
  if (arena_.capacity() == capacity_) return;
  ledger_->count(Resource::graph, "step", -captured());
  if (captured()) synchronize(stream_);
  for (auto& [key, entry] : entries_) entry.graph.reset();
  capacity_ = arena_.capacity();
}

}  // namespace py4cast
