#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cuda_on_cpu_grid.h"

namespace py4cast::emulation {
namespace {

[[noreturn]] void refuse_mask(unsigned mask, const char* operation, Place place) {
  const unsigned lane = lane_number(), first = running.thread->linear - lane;
  if (!((mask >> lane) & 1))
    fault(std::string(operation) + ": the mask does not name the thread that calls", place);
  unsigned other = 0;
  while (!((mask & grid().warp().absent) >> other & 1)) ++other;
  fault(std::string(operation) + ": the mask names lane " + std::to_string(other) +
            (first + other >= grid().threads ? ", which the block does not have"
                                             : ", which has ended"),
        place);
}

// The meeting that is open for the mask; a new one if there is none.
Meeting& meeting_of(Warp& warp, unsigned mask, const char* operation, Place place) {
  for (Meeting* open : warp.open) {
    if (!(open->mask & mask)) continue;
    if (open->mask != mask || open->place.line() != place.line() ||
        open->place.column() != place.column() || open->operation != operation)
      fault(std::string("threads of a warp meet at different operations: ") + open->operation +
                " (" + file_and_line(open->place) + ") and " + operation,
            place);
    return *open;
  }
  Grid& g = grid();
  if (g.spare_meetings.empty())
    g.spare_meetings.push_back(g.meetings.emplace_back(new Meeting).get());
  Meeting* const meeting = g.spare_meetings.back();
  g.spare_meetings.pop_back();
  meeting->mask = mask;
  meeting->arrived = 0;
  meeting->readers = __builtin_popcount(mask);
  meeting->operation = operation;
  meeting->place = place;
  warp.open.push_back(meeting);
  return *meeting;
}

// The last thread has arrived.
void complete(Warp& warp, Meeting& meeting, bool barrier, Place place) {
  std::erase(warp.open, &meeting);
  if (barrier && ++warp.barriers > Access::max_stamp)
    fault("more than " + std::to_string(Access::max_stamp) +
              " __syncwarp with no __syncthreads() between, which the emulation cannot follow",
          place);
  const unsigned lane = lane_number(), first = running.thread->linear - lane;
  for (unsigned rest = meeting.mask & ~(1u << lane); rest; rest &= rest - 1)
    grid().states[first + static_cast<unsigned>(__builtin_ctz(rest))] = State::ready;
}

}  // namespace

void leave_meeting(ThreadState& thread) {
  if (thread.last && --thread.last->readers == 0) grid().spare_meetings.push_back(thread.last);
  thread.last = nullptr;
}

WarpData warp_exchange(unsigned mask, const void* value, size_t bytes, const char* operation,
                       Place place) {
  Grid& g = grid();
  ThreadState& self = g.self();
  Warp& warp = g.warp();
  const unsigned bit = 1u << self.thread.linear % 32;
  if (!(mask & bit) || (mask & warp.absent)) refuse_mask(mask, operation, place);
  leave_meeting(self);
  Meeting& meeting = meeting_of(warp, mask, operation, place);
  meeting.arrived |= bit;
  if (bytes) std::memcpy(meeting.data + 64 * lane_number(), value, bytes);
  self.last = &meeting;
  self.place = place;
  self.operation = operation;
  const bool barrier = bytes == 0;
  if (meeting.arrived == mask)
    complete(warp, meeting, barrier, place);
  else
    wait(State::at_warp);
  if (barrier) {
    self.stamp = warp.barriers;
    self.stamp_epoch = g.epoch;
    set_now();
  }
  return {meeting.data, mask};
}

void warp_barrier(unsigned mask, Place place) {
  warp_exchange(mask, nullptr, 0, "__syncwarp", place);
}

}  // namespace py4cast::emulation
#endif
