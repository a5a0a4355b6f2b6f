// Stacks that code of one host thread runs on by turns (x86-64), known to AddressSanitizer.
#pragma once

#include <cstddef>

namespace py4cast::emulation {

class Fiber {
 public:
  // The stack of whoever switches away from this one first.
  Fiber() = default;
  // A stack of 64 KiB above a page that nobody may touch. `main` starts at the first switch to the
  // fiber and never returns. Error(memory) if there is no memory.
  explicit Fiber(void (*main)());
  ~Fiber();
  Fiber(const Fiber&) = delete;

  // Leaves this fiber, which runs, for another one. Returns when some fiber switches to this one.
  void switch_to(Fiber& other);

 private:
  static void start();
  void arrive();

  std::byte* range_ = nullptr;
  void (*main_)() = nullptr;
  void* top_ = nullptr;  // of its stack while it does not run
  [[maybe_unused]] const void* stack_ = nullptr;
  [[maybe_unused]] size_t stack_bytes_ = 0;
  [[maybe_unused]] void* fake_stack_ = nullptr;
};

}  // namespace py4cast::emulation
