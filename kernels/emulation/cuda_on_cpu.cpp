#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cuda_on_cpu.h"

#include <algorithm>
#include <utility>

#include "engine/error.h"
#include "kernels/emulation/cuda_on_cpu_grid.h"

namespace py4cast::emulation {
namespace {

constexpr unsigned nobody = ~0u;

uint64_t greatest_common_divisor(uint64_t a, uint64_t b) {
  while (b) a = std::exchange(b, a % b);
  return a;
}

void begin_block(uint64_t number) {
  Grid& g = grid();
  g.block = {{static_cast<unsigned>(number % g.size.x),
              static_cast<unsigned>(number / g.size.x % g.size.y),
              static_cast<unsigned>(number / g.size.x / g.size.y)},
             g.block_size,
             g.size};
  g.alive = g.threads;
  g.at_barrier = 0;
  g.same_barrier = true;
  running.block = &g.block;
  running.first_epoch = ++g.epoch;
  std::fill_n(g.states.begin(), g.threads, State::fresh);
  for (Warp& warp : g.warps) {
    warp.absent = 0;
    warp.barriers = 0;
  }
  if (g.threads % 32) g.warps.back().absent = ~0u << g.threads % 32;
  Order order(g.threads, g.block.index.x + 1);
  for (uint16_t& thread : g.order) thread = static_cast<uint16_t>(order.next());
  g.position = 0;
  g.moved = false;
}

std::string waiting_threads() {
  std::string text;
  int shown = 0;
  for (unsigned i = 0; i < grid().threads; ++i) {
    const ThreadState& thread = grid().thread_states[i];
    const State state = grid().states[i];
    if (state != State::at_barrier && state != State::at_warp) continue;
    if (shown++ == 3) return text + "; and others";
    text += (shown > 1 ? "; " : "") + describe(thread.thread) + " waits at " + thread.operation +
            " in " + shortened(thread.place.function_name()) + " (" + file_and_line(thread.place) +
            ")";
  }
  return text;
}

bool same_line(Place a, Place b) {
  return a.line() == b.line() && a.column() == b.column();
}

// All threads are at a barrier.
void release_barrier() {
  Grid& g = grid();
  if (!g.same_barrier) {
    const auto begin = g.thread_states.begin();
    const ThreadState& first = *begin;
    const ThreadState& other = *std::find_if(begin, begin + g.threads, [&](const auto& thread) {
      return !same_line(thread.place, first.place);
    });
    g.problem = "divergent barrier: " + describe(first.thread) + " is at " +
                file_and_line(first.place) + ", " + describe(other.thread) + " at " +
                file_and_line(other.place);
    return;
  }
  std::fill_n(g.states.begin(), g.threads, State::ready);
  for (Warp& warp : g.warps) warp.barriers = 0;
  g.at_barrier = 0;
  ++g.epoch;
}

// The next thread that can go on, also of the next block; nobody at the end or in trouble.
unsigned next_thread() {
  Grid& g = grid();
  while (g.problem.empty()) {
    while (g.position < g.threads) {
      const unsigned thread = g.order[g.position++];
      if (g.states[thread] > State::ready) continue;
      g.moved = true;
      return thread;
    }
    g.position = 0;
    if (g.alive == 0) {
      if (g.blocks_left == 0) return nobody;
      --g.blocks_left;
      begin_block(g.blocks.next());
    } else if (g.at_barrier == g.threads) {
      release_barrier();
    } else if (!std::exchange(g.moved, false)) {
      g.problem = (g.alive < g.threads ? "threads wait for others that have ended: "
                                       : "threads wait for each other for ever: ") +
                  waiting_threads();
    }
  }
  return nobody;
}

void run_threads();

// Goes on with a thread (with the host if there is nobody), whose stack this is not, or not yet.
void leave_for(unsigned thread) {
  Grid& g = grid();
  Fiber *const from = g.fiber, *to = &g.host;
  g.is_running = thread != nobody;
  if (g.is_running) {
    g.running_thread = thread;
    if (g.states[thread] == State::fresh) {
      if (g.idle.empty())
        g.idle.push_back(g.fibers.emplace_back(std::make_unique<Fiber>(run_threads)).get());
      to = g.idle.back();
      g.idle.pop_back();
    } else {
      to = g.thread_states[thread].fiber;
    }
  }
  g.fiber = to;
  from->switch_to(*to);
}

// What each fiber does: it runs threads from their beginning, one after another as long as none
// waits that another fiber could go on with.
void run_threads() {
  Grid& g = grid();
  for (;;) {
    const unsigned thread = g.running_thread;
    ThreadState& self = g.thread_states[thread];
    g.states[thread] = State::ready;
    self.fiber = g.fiber;
    self.copies.clear();
    self.group = 0;
    set_now();
    try {
      g.kernel.call(g.kernel.arguments);
    } catch (const Fault&) {
    }
    leave_meeting(self);
    g.states[thread] = State::ended;
    g.warp().absent |= 1u << thread % 32;
    --g.alive;
    const unsigned next = next_thread();
    if (next != nobody && g.states[next] == State::fresh) {
      g.running_thread = next;
    } else {
      g.idle.push_back(g.fiber);
      leave_for(next);
    }
  }
}

void begin_grid(const Kernel& kernel, dim3 size, dim3 block, size_t shared_bytes, Place launched) {
  Grid& g = grid();
  g.kernel = kernel;
  g.size = size;
  g.block_size = block;
  g.shared_bytes = shared_bytes;
  g.launched = launched;
  g.threads = block.x * block.y * block.z;
  g.problem.clear();
  g.blocks_left = uint64_t{size.x} * size.y * size.z;
  g.blocks = Order(g.blocks_left, 0);
  if (g.epoch > 1u << 31) {  // the numbers of epochs begin again
    g.epoch = 0;
    g.shared.clear();
    g.spare_shared.clear();
    g.thread_states.clear();
  }
  std::move(g.shared.begin(), g.shared.end(), std::back_inserter(g.spare_shared));
  g.shared.clear();
  g.states.resize(g.threads);
  g.order.resize(g.threads);
  g.warps.resize((g.threads + 31) / 32);
  if (g.thread_states.size() < g.threads) g.thread_states.resize(g.threads);
  for (unsigned i = 0; i < g.threads; ++i)
    g.thread_states[i].thread = {{i % block.x, i / block.x % block.y, i / block.x / block.y}, i};
  g.alive = 0;
  g.position = g.threads;
}

// The fibers of threads that wait for ever go, and what they had.
void abandon_threads() {
  Grid& g = grid();
  g.idle.clear();
  g.fibers.clear();
  g.spare_meetings.clear();
  g.meetings.clear();
  for (Warp& warp : g.warps) warp.open.clear();
  for (ThreadState& thread : g.thread_states) thread.last = nullptr;
}

std::string describe_fault() {
  if (!current_grid || !grid().is_running) return "no kernel";
  return describe_launch() + ", " + describe(grid().self().thread);
}

}  // namespace

Order::Order(uint64_t n, uint64_t salt) : n_(n) {
  const Settings& s = settings();
  switch (s.threads) {
    case Settings::Threads::forward:
      step_ = 1 % n;
      break;
    case Settings::Threads::reverse:
      at_ = step_ = n - 1;
      break;
    case Settings::Threads::random:
      uint64_t z = (s.seed + salt * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
      z ^= z >> 29;
      at_ = z % n;
      step_ = 1 + (z >> 20) % n;
      while (greatest_common_divisor(step_, n) != 1) ++step_;
      step_ %= n;
  }
}

void set_now() {
  Grid& g = grid();
  const ThreadState& self = g.self();
  running.thread = &self.thread;
  const uint32_t stamp = g.warp().barriers, warp = self.thread.linear / 32;
  running.now = {g.epoch, self.thread.linear, stamp};
  running.warp_read = stamp ? 0 : bits({g.epoch, Access::of_warp + warp, 0});
  running.block_read = bits({g.epoch, Access::of_block, 0});
}

void wait(State state) {
  Grid& g = grid();
  const unsigned thread = g.running_thread;
  g.states[thread] = state;
  const unsigned next = next_thread();
  if (next != thread) leave_for(next);
  set_now();
}

void barrier(Place place) {
  Grid& g = grid();
  ThreadState& self = g.self();
  if (g.at_barrier++ == 0)
    g.barrier_place = place;
  else if (!same_line(place, g.barrier_place))
    g.same_barrier = false;
  self.place = place;
  self.operation = "__syncthreads()";
  wait(State::at_barrier);
}

void run_grid(const Kernel& kernel, dim3 size, dim3 block, size_t shared_bytes, Place launched) {
  static const bool described = (set_fault_describer(describe_fault), true);
  static_cast<void>(described);
  static thread_local Grid own;
  current_grid = &own;
  begin_grid(kernel, size, block, shared_bytes, launched);
  leave_for(next_thread());
  Grid& g = grid();
  if (g.problem.empty()) return;
  abandon_threads();
  throw Error(ErrorKind::internal, "emulated device: ", g.problem, ", ", describe_launch());
}

}  // namespace py4cast::emulation
#endif
