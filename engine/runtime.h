// What a program holds from start to end: MPI, the ledger, the device, the threads.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/communicator.h"
#include "engine/context.h"
#include "engine/cuda.h"
#include "engine/memory.h"

namespace py4cast {

// Why this program cannot use a GPU, in words; empty if it can. Its kernels need compute capability
// 8.0 (bf16 on tensor cores).
std::string unsuitable(const CudaDevice& device);

// Threads that wait for work spin for about 0.1 ms and then sleep: as fast as OpenMP's default, a hundred times as
// long, where the cores are ours alone, and many times faster where they are not. OpenMP reads how long when it is
// loaded, so this starts the program anew, at once, unless the environment (OMP_WAIT_POLICY, GOMP_SPINCOUNT) says
// what it wants; valgrind, which does not follow, needs that. First thing in main.
void spin_briefly(char** words);

// Owned by main; whatever it hands out must go before it. One in a process.
class Runtime {
 public:
  // `device`: "cpu", "cuda:N", "cuda" (the ranks of a machine take its visible GPUs in turn) or
  // "auto": as "cuda" if this process can use a GPU, else the CPU. Error(configuration): unknown,
  // or no such GPU. Threads: OMP_NUM_THREADS, else the cores that this process may use, shared with
  // the ranks that may use them too.
  explicit Runtime(const std::string& device = "auto");
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  Communicator& communicator() { return *communicator_; }
  MemoryLedger& ledger() { return ledger_; }
  Device device() const { return device_; }
  bool emulated() const;  // the device is one, for tests: its times say nothing
  int threads() const { return threads_; }
  // Instructions of kernels on the CPU: the lowest of the ranks' best levels, since what all ranks compute
  // for themselves, the optimiser's step say, must come out the same.
  CpuLevel cpu_level() const { return cpu_level_; }
  // For the log: "cpu (auto: no GPU is visible), avx512, 2 ranks of 4 threads", "cuda:0 (NVIDIA
  // H100, GPU-..., shared by 2 ranks), avx512, 2 ranks of 4 threads".
  const std::string& description() const { return description_; }
  // With the device, its main stream, the ledger and the precision.
  Context context();
  void set_precision(Precision precision) { precision_ = precision; }
  // Which engines of the device's libraries compute which products, as far as plans were made.
  std::vector<std::string> engines();

  // Sums over ranks go from GPU to GPU by NCCL from now on, if each rank has a GPU of its own.
  // Returns how they travel and why, in words; empty with one rank or on the CPU. All ranks call
  // it.
  std::string connect_devices(AddInto add);

  // Runs f. An error that ends one of several ranks ends the others too, which would wait for it
  // for ever: its sentence and its exit code become those of the whole run.
  template <typename F>
  auto guard(F&& f) {
    try {
      return f();
    } catch (...) {
      if (communicator_->size() > 1) abort_with_current_error();
      throw;
    }
  }

 private:
  void abort_with_current_error();
  std::string choose_device(const std::string& wanted);
  void share_cores();

  MemoryLedger ledger_;
  Device device_;
  Precision precision_ = Precision::fp32;
  std::unique_ptr<CudaStream> stream_;          // of the device; none on the CPU
  std::unique_ptr<Communicator> communicator_;  // goes before the stream that it used
  bool shared_ = false;                         // two ranks have one GPU
  int threads_ = 1;
  CpuLevel cpu_level_ = CpuLevel::baseline;
  std::string description_;
  LibrarySlot libraries_;
};

// f(runtime) on that device, guarded from its first line on: how commands begin.
template <typename F>
auto with_runtime(const std::string& device, F&& f) {
  Runtime runtime(device);
  return runtime.guard([&] { return f(runtime); });
}

// Where and with what a run was made: host, processor, cores, GPUs of all ranks, driver, compiler,
// build, commit, libraries, ranks, threads, time. All ranks call it.
nlohmann::ordered_json environment_report(Runtime& runtime);

}  // namespace py4cast
