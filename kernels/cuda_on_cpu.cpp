#if PY4CAST_CUDA_EMULATED
#include "kernels/cuda_on_cpu.h"

#include <sys/mman.h>

#include <memory>
#include <sstream>
#include <vector>

#include "engine/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#error "the fibers of the emulated device are written for x86-64"
#endif

// void py4cast_switch_fiber(void** save, void* to): keeps the registers that a function must keep
// on this stack, its top in *save, and goes on where the other stack was left.
extern "C" void py4cast_switch_fiber(void** save, void* to);
asm(R"(
.text
.globl py4cast_switch_fiber
.hidden py4cast_switch_fiber
.type py4cast_switch_fiber, @function
py4cast_switch_fiber:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size py4cast_switch_fiber, .-py4cast_switch_fiber
)");

namespace py4cast::emulation {
namespace {

constexpr size_t stack_bytes = 64 * 1024;
constexpr unsigned max_threads = 1024;

struct Stack {
  std::byte* base;  // above a page that nobody may touch
  Stack() {
    void* range = ::mmap(nullptr, stack_bytes + 4096, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) throw Error(ErrorKind::memory, "no stack for an emulated thread");
    ::mprotect(range, 4096, PROT_NONE);
    base = static_cast<std::byte*>(range) + 4096;
  }
  ~Stack() { ::munmap(base - 4096, stack_bytes + 4096); }
  Stack(const Stack&) = delete;
};

struct Fault {};  // ends a thread; the problem is noted

enum class State { fresh, ready, at_barrier, at_warp, ended };

// Where threads of a warp meet.
struct Meeting {
  unsigned mask, arrived, left;
  const char* operation;
  Place place;
  alignas(16) std::byte data[32 * 64];
};

struct Fiber {
  Thread thread;
  State state = State::fresh;
  Stack* stack = nullptr;
  void* top = nullptr;  // of its stack while it does not run
  Place place;          // where it waits
  const char* operation = "";
  unsigned stamp = 0;             // warp barriers it has passed
  std::unique_ptr<Meeting> last;  // of its last warp operation: its data stay readable
  [[maybe_unused]] void* fake_stack = nullptr;
};

struct Warp {
  std::vector<std::unique_ptr<Meeting>> meetings;
  unsigned barriers = 0;
};

struct SharedEntry {
  const void* site;
  std::unique_ptr<std::byte[]> memory;
  std::vector<Access> writes, reads;
  SharedBlock block;
};

// The block at work. One at a time in a thread of the host.
struct Grid {
  Kernel kernel;
  dim3 size, block_size;
  size_t shared_bytes;
  Place launched;
  unsigned threads = 0, alive = 0, at_barrier = 0;
  uint32_t epoch = 1;
  uint3 block_index{};
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<std::unique_ptr<SharedEntry>> shared;
  std::vector<std::unique_ptr<Stack>>* pool;
  Fiber* running = nullptr;
  void* scheduler_top = nullptr;
  std::string problem;
  [[maybe_unused]] const void* scheduler_stack = nullptr;
  [[maybe_unused]] size_t scheduler_bytes = 0;
  [[maybe_unused]] void* scheduler_fake = nullptr;
};

thread_local Grid* grid = nullptr;

std::string shortened(const char* function) {
  std::string name = function;
  const auto arguments = name.find(" [with");
  const auto open = name.find('(');
  std::string types = arguments == std::string::npos ? "" : name.substr(arguments);
  if (open != std::string::npos) name = name.substr(0, open);
  const auto space = name.rfind(' ');
  if (space != std::string::npos) name = name.substr(space + 1);
  return name + types;
}

std::string file_and_line(Place place) {
  std::string file = place.file_name();
  const auto folder = file.rfind('/', file.rfind('/') - 1);
  return (folder == std::string::npos ? file : file.substr(folder + 1)) + ":" +
         std::to_string(place.line());
}

std::string describe(const Thread& thread) {
  std::ostringstream text;
  text << "block (" << thread.block_index.x << ", " << thread.block_index.y << ", "
       << thread.block_index.z << "), thread (" << thread.index.x << ", " << thread.index.y << ", "
       << thread.index.z << ")";
  return text.str();
}

std::string describe_launch() {
  return "kernel launched by " + shortened(grid->launched.function_name()) + " at " +
         file_and_line(grid->launched);
}

std::string describe_fault() {
  if (!grid || !grid->running) return "no kernel";
  return describe_launch() + ", " + describe(grid->running->thread);
}

void to_scheduler(bool ending) {
  Fiber& fiber = *grid->running;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(ending ? nullptr : &fiber.fake_stack, grid->scheduler_stack,
                                 grid->scheduler_bytes);
#else
  static_cast<void>(ending);
#endif
  py4cast_switch_fiber(&fiber.top, grid->scheduler_top);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fiber.fake_stack, nullptr, nullptr);
#endif
}

void yield(State state) {
  grid->running->state = state;
  to_scheduler(false);
}

void fiber_main() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &grid->scheduler_stack, &grid->scheduler_bytes);
#endif
  try {
    grid->kernel.call(grid->kernel.arguments);
  } catch (const Fault&) {
  }
  grid->running->state = State::ended;
  to_scheduler(true);
}

void resume(Fiber& fiber) {
  if (fiber.state == State::fresh) {
    if (grid->pool->empty()) grid->pool->push_back(std::make_unique<Stack>());
    fiber.stack = grid->pool->back().release();
    grid->pool->pop_back();
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(fiber.stack->base, stack_bytes);
#endif
    // The first switch pops six registers and returns into fiber_main, where the stack must be
    // 8 off a multiple of 16, as after a call.
    auto** top = reinterpret_cast<void**>(fiber.stack->base + stack_bytes) - 2;
    *top = reinterpret_cast<void*>(&fiber_main);
    top -= 6;
    for (int i = 0; i < 6; ++i) top[i] = nullptr;
    fiber.top = top;
  }
  fiber.state = State::ready;
  grid->running = &fiber;
  current_thread = &fiber.thread;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&grid->scheduler_fake, fiber.stack->base, stack_bytes);
#endif
  py4cast_switch_fiber(&grid->scheduler_top, fiber.top);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(grid->scheduler_fake, nullptr, nullptr);
#endif
  grid->running = nullptr;
  if (fiber.state == State::ended) {
    grid->pool->emplace_back(fiber.stack);
    fiber.stack = nullptr;
    --grid->alive;
  }
}

// The i-th of n in the order of this run: a step that shares no factor with n visits all.
class Order {
 public:
  Order(uint64_t n, uint64_t salt) : n_(n) {
    const Settings& s = settings();
    mode_ = s.threads;
    uint64_t z = (s.seed + salt * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    z ^= z >> 29;
    first_ = z % n;
    step_ = 1 + (z >> 20) % n;
    while (gcd(step_, n) != 1) ++step_;
  }
  uint64_t operator()(uint64_t i) const {
    switch (mode_) {
      case Settings::Threads::forward:
        return i;
      case Settings::Threads::reverse:
        return n_ - 1 - i;
      case Settings::Threads::random:
        return (first_ + i * step_) % n_;
    }
    return i;
  }

 private:
  static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b) a = std::exchange(b, a % b);
    return a;
  }
  uint64_t n_, first_, step_;
  Settings::Threads mode_;
};

std::string waiting_threads() {
  std::ostringstream text;
  int shown = 0;
  for (const Fiber& fiber : grid->fibers) {
    if (fiber.state != State::at_barrier && fiber.state != State::at_warp) continue;
    if (shown++ == 3) {
      text << "; and others";
      break;
    }
    text << (shown > 1 ? "; " : "") << describe(fiber.thread) << " waits at " << fiber.operation
         << " in " << shortened(fiber.place.function_name()) << " (" << file_and_line(fiber.place)
         << ")";
  }
  return text.str();
}

void release_barrier() {
  const Fiber* first = nullptr;
  for (const Fiber& fiber : grid->fibers) {
    if (!first) first = &fiber;
    if (fiber.place.line() != first->place.line() || fiber.place.column() != first->place.column())
      grid->problem = "divergent barrier: " + describe(first->thread) + " is at " +
                      file_and_line(first->place) + ", " + describe(fiber.thread) + " at " +
                      file_and_line(fiber.place);
  }
  if (!grid->problem.empty()) return;
  for (Fiber& fiber : grid->fibers) fiber.state = State::ready;
  grid->at_barrier = 0;
  ++grid->epoch;
}

void run_block() {
  const Order order(grid->threads, grid->block_index.x + 1);
  while (grid->alive && grid->problem.empty()) {
    bool moved = false;
    for (uint64_t i = 0; i < grid->threads && grid->problem.empty(); ++i) {
      Fiber& fiber = grid->fibers[order(i)];
      if (fiber.state != State::fresh && fiber.state != State::ready) continue;
      resume(fiber);
      moved = true;
    }
    if (grid->problem.empty() && grid->at_barrier == grid->threads) {
      release_barrier();
      moved = true;
    }
    if (moved || !grid->alive || !grid->problem.empty()) continue;
    grid->problem = (grid->alive < grid->threads ? "threads wait for others that have ended: "
                                                 : "threads wait for each other for ever: ") +
                    waiting_threads();
  }
  for (Fiber& fiber : grid->fibers)
    if (fiber.stack) grid->pool->emplace_back(std::exchange(fiber.stack, nullptr));
}

void begin_block(uint64_t number) {
  grid->block_index = {static_cast<unsigned>(number % grid->size.x),
                       static_cast<unsigned>(number / grid->size.x % grid->size.y),
                       static_cast<unsigned>(number / grid->size.x / grid->size.y)};
  grid->alive = grid->threads;
  grid->at_barrier = 0;
  grid->epoch = 1;
  grid->shared.clear();
  for (Warp& warp : grid->warps) {
    warp.meetings.clear();
    warp.barriers = 0;
  }
  const dim3 size = grid->block_size;
  for (unsigned i = 0; i < grid->threads; ++i) {
    Fiber& fiber = grid->fibers[i];
    fiber.state = State::fresh;
    fiber.stamp = 0;
    fiber.last.reset();
    fiber.thread = {{i % size.x, i / size.x % size.y, i / size.x / size.y},
                    grid->block_index,
                    size,
                    grid->size,
                    i,
                    nullptr};
  }
}

SharedEntry& new_shared(const void* site, size_t count, size_t element_bytes) {
  auto entry = std::make_unique<SharedEntry>();
  entry->site = site;
  entry->memory = std::make_unique<std::byte[]>(count * element_bytes + 16);
  std::memset(entry->memory.get(), 0xff, count * element_bytes);
  entry->writes.resize(count);
  entry->reads.resize(count);
  entry->block = {entry->memory.get(), count, element_bytes, entry->writes.data(),
                  entry->reads.data()};
  return *grid->shared.emplace_back(std::move(entry));
}

void check_index(const SharedBlock& block, int64_t index, Place place) {
  if (index < 0 || static_cast<size_t>(index) >= block.count)
    fault("index " + std::to_string(index) + " of a shared array of " +
              std::to_string(block.count) + " elements",
          place);
}

// True if an access came before everything that this thread does now.
bool ordered(const Access& access) {
  const Fiber& self = *grid->running;
  const auto thread = static_cast<int32_t>(self.thread.linear);
  if (access.epoch < grid->epoch || access.thread == thread) return true;
  return access.thread != -3 && access.warp == self.thread.linear / 32 && self.stamp > access.stamp;
}

void note(Access& access) {
  const Fiber& self = *grid->running;
  const unsigned warp = self.thread.linear / 32;
  const auto thread = static_cast<int32_t>(self.thread.linear);
  if (access.epoch != grid->epoch) {
    access = {grid->epoch, thread, warp, grid->warps[warp].barriers};
    return;
  }
  if (access.thread != thread) access.thread = access.thread != -3 && access.warp == warp ? -2 : -3;
  access.stamp = grid->warps[warp].barriers;
}

}  // namespace

void fault(const std::string& what, Place place) {
  grid->problem = what + ", in " + shortened(place.function_name()) + " (" + file_and_line(place) +
                  "), " + describe(grid->running->thread);
  throw Fault{};
}

void barrier(Place place) {
  Fiber& self = *grid->running;
  self.place = place;
  self.operation = "__syncthreads()";
  ++grid->at_barrier;
  yield(State::at_barrier);
}

WarpData warp_exchange(unsigned mask, const void* value, size_t bytes, const char* operation,
                       Place place) {
  Fiber& self = *grid->running;
  const unsigned lane = self.thread.linear % 32, number = self.thread.linear / 32;
  Warp& warp = grid->warps[number];
  if (!((mask >> lane) & 1))
    fault(std::string(operation) + ": the mask does not name the thread that calls", place);
  for (unsigned other = 0; other < 32; ++other) {
    if (!((mask >> other) & 1)) continue;
    const unsigned linear = number * 32 + other;
    if (linear >= grid->threads || grid->fibers[linear].state == State::ended)
      fault(std::string(operation) + ": the mask names lane " + std::to_string(other) +
                (linear >= grid->threads ? ", which the block does not have" : ", which has ended"),
            place);
  }
  Meeting* meeting = nullptr;
  for (const auto& open : warp.meetings) {
    if (open->arrived == open->mask || !(open->mask & mask)) continue;
    if (open->mask != mask || open->place.line() != place.line() ||
        open->place.column() != place.column() || open->operation != operation)
      fault(std::string("threads of a warp meet at different operations: ") + open->operation +
                " (" + file_and_line(open->place) + ") and " + operation,
            place);
    meeting = open.get();
  }
  if (!meeting) {
    meeting = warp.meetings.emplace_back(new Meeting{mask, 0, 0, operation, place, {}}).get();
  }
  meeting->arrived |= 1u << lane;
  if (bytes) std::memcpy(meeting->data + 64 * lane, value, bytes);
  self.place = place;
  self.operation = operation;
  if (meeting->arrived != mask) {
    yield(State::at_warp);
  } else {
    if (operation == std::string("__syncwarp")) ++warp.barriers;
    for (unsigned other = 0; other < 32; ++other)
      if (((mask >> other) & 1) && other != lane)
        grid->fibers[number * 32 + other].state = State::ready;
  }
  if (operation == std::string("__syncwarp")) self.stamp = warp.barriers;
  // Each lane reads its own copy, so that the meeting can go when all have left.
  self.last = std::make_unique<Meeting>(*meeting);
  meeting->left |= 1u << lane;
  if (meeting->left == meeting->mask)
    std::erase_if(warp.meetings, [&](const auto& open) { return open.get() == meeting; });
  return {self.last->data, mask};
}

void warp_barrier(unsigned mask, Place place) {
  warp_exchange(mask, nullptr, 0, "__syncwarp", place);
}

SharedBlock& shared_block(const void* site, size_t count, size_t element_bytes, Place place) {
  size_t total = 0;
  for (const auto& entry : grid->shared) {
    if (entry->site == site) return entry->block;
    if (entry->site) total += entry->block.count * entry->block.element_bytes;
  }
  if (total + count * element_bytes > max_static_shared_bytes)
    fault("more than " + std::to_string(max_static_shared_bytes) + " bytes of shared memory",
          place);
  return new_shared(site, count, element_bytes).block;
}

SharedBlock& dynamic_shared_block(size_t element_bytes, Place) {
  for (const auto& entry : grid->shared)
    if (!entry->site) return entry->block;
  return new_shared(nullptr, grid->shared_bytes / element_bytes, element_bytes).block;
}

void note_read(const SharedBlock& block, int64_t index, Place place) {
  check_index(block, index, place);
  const Access& write = block.writes[index];
  if (write.epoch == 0)
    fault("element " + std::to_string(index) + " of a shared array is read, but was never written",
          place);
  if (!ordered(write))
    fault("race: element " + std::to_string(index) + " of a shared array is read, and thread " +
              std::to_string(write.thread) + " wrote it with no barrier between",
          place);
  note(block.reads[index]);
}

void note_write(const SharedBlock& block, int64_t index, Place place) {
  check_index(block, index, place);
  for (const Access* other : {&block.writes[index], &block.reads[index]})
    if (other->epoch && !ordered(*other))
      fault("race: element " + std::to_string(index) +
                " of a shared array is written, and another thread " +
                (other == &block.reads[index] ? "read" : "wrote") + " it with no barrier between",
            place);
  note(block.writes[index]);
}

void check_device_memory(const void* data, size_t bytes, Place launched) {
  const size_t there = device_bytes_from(data);
  if (there < bytes)
    throw Error(ErrorKind::internal, "emulated device: a view of ", bytes, " bytes ",
                there ? "leaves its allocation of device memory" : "is not in device memory",
                ", kernel launched by ", shortened(launched.function_name()), " at ",
                file_and_line(launched));
}

void check_launch(dim3 size, dim3 block, size_t shared_bytes, size_t argument_bytes,
                  Place launched) {
  const auto refuse = [&](const auto&... parts) {
    throw Error(ErrorKind::internal, "emulated device: ", parts..., ", kernel launched by ",
                shortened(launched.function_name()), " at ", file_and_line(launched));
  };
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > max_threads || block.z > 64)
    refuse("a block of ", block.x, " x ", block.y, " x ", block.z,
           " threads; at most 1024 x 1024 x 64, and 1024 in all");
  if (size.x > 0x7fffffffu || size.y > 65535 || size.z > 65535)
    refuse("a grid of ", size.x, " x ", size.y, " x ", size.z,
           " blocks; at most 2147483647 x 65535 x 65535");
  if (shared_bytes > max_shared_bytes)
    refuse(shared_bytes, " bytes of shared memory; at most ", max_shared_bytes);
  if (argument_bytes > max_argument_bytes)
    refuse(argument_bytes, " bytes of arguments; at most ", max_argument_bytes);
}

void run_grid(const Kernel& kernel, dim3 size, dim3 block, size_t shared_bytes, Place launched) {
  static const bool described = (set_fault_describer(describe_fault), true);
  static_cast<void>(described);
  static thread_local std::vector<std::unique_ptr<Stack>> pool;
  Grid own{.kernel = kernel,
           .size = size,
           .block_size = block,
           .shared_bytes = shared_bytes,
           .launched = launched};
  own.threads = block.x * block.y * block.z;
  own.fibers.resize(own.threads);
  own.warps.resize((own.threads + 31) / 32);
  own.pool = &pool;
  grid = &own;
  const uint64_t blocks = uint64_t{size.x} * size.y * size.z;
  const Order order(blocks, 0);
  for (uint64_t i = 0; i < blocks && own.problem.empty(); ++i) {
    begin_block(order(i));
    run_block();
  }
  const std::string where = describe_launch();
  grid = nullptr;
  current_thread = nullptr;
  if (!own.problem.empty())
    throw Error(ErrorKind::internal, "emulated device: ", own.problem, ", ", where);
}

}  // namespace py4cast::emulation
#endif
