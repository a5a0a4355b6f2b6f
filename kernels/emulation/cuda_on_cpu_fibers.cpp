#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cuda_on_cpu_fibers.h"

#include <sys/mman.h>

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

constexpr size_t page = 4096, stack_bytes = 64 * 1024;
thread_local Fiber *left = nullptr, *entered = nullptr;  // of the last switch

}  // namespace

Fiber::Fiber(void (*main)()) : main_(main), stack_bytes_(stack_bytes) {
  void* range = ::mmap(nullptr, page + stack_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) throw Error(ErrorKind::memory, "no stack for an emulated thread");
  ::mprotect(range, page, PROT_NONE);
  range_ = static_cast<std::byte*>(range);
  stack_ = range_ + page;
  // The first switch pops six registers and returns into start, where the stack must be 8 off a
  // multiple of 16, as after a call.
  auto** top = reinterpret_cast<void**>(range_ + page + stack_bytes) - 2;
  *top = reinterpret_cast<void*>(&Fiber::start);
  top_ = top - 6;
}

Fiber::~Fiber() {
  if (!range_) return;
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(range_ + page, stack_bytes);
#endif
  ::munmap(range_, page + stack_bytes);
}

void Fiber::switch_to(Fiber& other) {
  left = this;
  entered = &other;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&fake_stack_, other.stack_, other.stack_bytes_);
#endif
  py4cast_switch_fiber(&top_, other.top_);
  arrive();
}

void Fiber::arrive() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack_, &left->stack_, &left->stack_bytes_);
#endif
}

void Fiber::start() {
  entered->arrive();
  entered->main_();
}

}  // namespace py4cast::emulation
#endif
