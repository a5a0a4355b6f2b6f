// The emulated device finds the mistakes that it is there for, and runs correct kernels.
#if PY4CAST_CUDA_EMULATED
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include "kernels/common/cuda.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

using emulation::device_bytes;
using Streams = emulation::Settings::Streams;
using Threads = emulation::Settings::Threads;

constexpr Device gpu{DeviceKind::cuda, 0};

class CudaOnCpu : public ::testing::Test {
 protected:
  Tensor device_tensor(int64_t n) {
    return {allocate_device(static_cast<size_t>(n) * 4, gpu, nullptr, Owner::other, "test"),
            DataType::f32,
            {n}};
  }
  View<float> view(const Tensor& x) { return {x.data<float>(), x.numel()}; }
  std::vector<float> values(const Tensor& x) {
    synchronize(gpu);
    const float* const begin = device_bytes(x.data<float>());
    return {begin, begin + x.numel()};
  }
  // What the emulated device says of the kernel that `start` launches.
  std::string report(const std::function<void()>& start) {
    return error_of([&] {
      start();
      synchronize(stream_.get());
    });
  }
  void expect_report(const std::string& report, std::initializer_list<const char*> parts) {
    for (const char* part : parts)
      EXPECT_NE(report.find(part), std::string::npos) << "'" << part << "' is not in: " << report;
  }
  ~CudaOnCpu() override { emulation::settings() = {}; }

  CudaStream stream_{gpu};
  Tensor x_ = device_tensor(1024);
};

__global__ void number(Global<float> y) {
  for (int64_t i = global_index(); i < y.size; i += grid_stride()) y[i] = static_cast<float>(i);
}

TEST_F(CudaOnCpu, EveryElementIsVisitedOnceInEveryOrder) {
  for (Threads order : {Threads::forward, Threads::reverse, Threads::random}) {
    emulation::settings().threads = order;
    launch(stream_.get(), number, 3, 96, 0, view(x_));
    const std::vector<float> y = values(x_);
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], static_cast<float>(i));
  }
}

template <bool with_barrier>
__global__ void reverse_block(Global<float> y) {
  PY4CAST_SHARED(float, tile, 64);
  const unsigned i = threadIdx.x;
  tile[i] = static_cast<float>(i);
  if (with_barrier) __syncthreads();
  y[global_index()] = tile[63 - i];
}

TEST_F(CudaOnCpu, SharedMemoryBehindABarrier) {
  launch(stream_.get(), reverse_block<true>, 16, 64, 0, view(x_));
  const std::vector<float> y = values(x_);
  for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], 63 - static_cast<float>(i % 64));
}

TEST_F(CudaOnCpu, MissingBarrier) {
  for (Threads order : {Threads::forward, Threads::reverse, Threads::random}) {
    emulation::settings().threads = order;
    expect_report(report([&] { launch(stream_.get(), reverse_block<false>, 16, 64, 0, view(x_)); }),
                  {"of a shared array is read", "reverse_block",
                   "emulation/cuda_on_cpu_test.cpp:", "block (", "thread (", "kernel launched by"});
  }
}

__global__ void warp_of_writers(Global<float> y, bool warp_barrier) {
  PY4CAST_SHARED(float, tile, 32);
  tile[threadIdx.x] = 1;
  if (warp_barrier) __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x ^ 1];
}

TEST_F(CudaOnCpu, AWarpBarrierOrdersAWarp) {
  EXPECT_EQ(report([&] { launch(stream_.get(), warp_of_writers, 1, 32, 0, view(x_), true); }), "");
  EXPECT_NE(report([&] { launch(stream_.get(), warp_of_writers, 1, 32, 0, view(x_), false); }), "");
}

__global__ void overwritten(Global<float> y) {
  PY4CAST_SHARED(float, tile, 64);
  tile[threadIdx.x] = 1;
  __syncthreads();
  const float mine = tile[63 - threadIdx.x];
  tile[threadIdx.x] = 2 * mine;  // others may still read it
  y[threadIdx.x] = mine;
}

TEST_F(CudaOnCpu, ReadThenWrittenWithNoBarrierBetween) {
  expect_report(report([&] { launch(stream_.get(), overwritten, 1, 64, 0, view(x_)); }),
                {"race", "overwritten"});
}

__global__ void divergent(Global<float> y, int kind) {
  if (kind == 0) {
    if (threadIdx.x < 32)  // NOLINT(bugprone-branch-clone): two barriers, which is the fault
      __syncthreads();
    else
      __syncthreads();
  } else if (kind == 1) {
    if (threadIdx.x < 40) __syncthreads();
  } else {
    if (threadIdx.x % 32 == 0)
      __syncthreads();
    else
      __syncwarp();
  }
  y[threadIdx.x] = 0;
}

TEST_F(CudaOnCpu, DivergentBarrier) {
  expect_report(report([&] { launch(stream_.get(), divergent, 1, 64, 0, view(x_), 0); }),
                {"divergent barrier", "block (0, 0, 0)", "thread ("});
  expect_report(report([&] { launch(stream_.get(), divergent, 1, 64, 0, view(x_), 1); }),
                {"wait for others that have ended", "__syncthreads() in", "divergent"});
  expect_report(report([&] { launch(stream_.get(), divergent, 1, 64, 0, view(x_), 2); }),
                {"wait for each other for ever", "__syncwarp"});
}

__global__ void exchange(Global<float> y, unsigned mask, int threads, int from) {
  if (static_cast<int>(threadIdx.x) >= threads) return;
  y[threadIdx.x] = __shfl_sync(mask, static_cast<float>(threadIdx.x), from);
}

TEST_F(CudaOnCpu, BadMask) {
  const auto run = [&](unsigned mask, int threads, int from, unsigned block) {
    return report(
        [&] { launch(stream_.get(), exchange, 1, block, 0, view(x_), mask, threads, from); });
  };
  EXPECT_EQ(run(0xffffffffu, 32, 3, 32), "");
  EXPECT_EQ(values(x_)[7], 3);
  EXPECT_EQ(run(0xffffu, 16, 3, 32), "");
  expect_report(run(0xffffu, 32, 3, 32), {"the mask does not name the thread that calls"});
  expect_report(run(0xffffffffu, 16, 3, 32), {"mask names lane"});
  expect_report(run(0xffffffffu, 16, 3, 16), {"which the block does not have"});
  expect_report(run(0xffffu, 16, 20, 32), {"reads lane 20, which is not in its mask"});
}

__global__ void sums(Global<float> y) {
  y[global_index()] =
      block_sum<128>(static_cast<float>(threadIdx.x)) + block_sum<128>(1.0f) + warp_sum(1.0f);
}

TEST_F(CudaOnCpu, SumsOfWarpsAndBlocks) {
  launch(stream_.get(), sums, 8, 128, 0, view(x_));
  for (float y : values(x_)) ASSERT_EQ(y, 127 * 64 + 128 + 32);
}

__global__ void one_too_far(Global<float> y) {
  const int64_t i = global_index();
  if (i > y.size) return;
  y[i] = 0;
}

TEST_F(CudaOnCpu, GlobalMemoryIsLeft) {
  expect_report(report([&] { launch(stream_.get(), one_too_far, 17, 64, 0, view(x_)); }),
                {"index 1024 of a global view of 1024 elements", "one_too_far", "block (16, 0, 0)",
                 "thread (0, 0, 0)"});
}

__global__ void raw_pointer(Global<float> y) {
  y.data[y.size + 1024] = 0;
}

TEST_F(CudaOnCpu, RawPointersDoNotLeaveTheirAllocation) {
  EXPECT_EXIT(
      {
        launch(stream_.get(), raw_pointer, 1, 1, 0, view(x_));
        synchronize(gpu);
      },
      ::testing::ExitedWithCode(139), "a kernel touched memory outside.*block \\(0, 0, 0\\)");
}

__global__ void shared_overrun(Global<float> y) {
  PY4CAST_SHARED(float, tile, 32);
  tile[threadIdx.x + 1] = 0;
  __syncthreads();
  y[threadIdx.x] = tile[1];
}

TEST_F(CudaOnCpu, SharedMemoryIsLeft) {
  expect_report(report([&] { launch(stream_.get(), shared_overrun, 1, 32, 0, view(x_)); }),
                {"index 32 of a shared array of 32 elements", "shared_overrun"});
}

__global__ void never_written(Global<float> y) {
  PY4CAST_DYNAMIC_SHARED(float, tile);
  y[threadIdx.x] = tile[threadIdx.x];
}

TEST_F(CudaOnCpu, SharedMemoryThatNobodyWrote) {
  expect_report(report([&] { launch(stream_.get(), never_written, 1, 32, 128, view(x_)); }),
                {"never written"});
}

template <int doubles>
__global__ void much_shared(Global<float> y) {
  PY4CAST_SHARED(double, tile, doubles);
  tile[0] = 0;
  y[0] = 0;
}

TEST_F(CudaOnCpu, Limits) {
  const auto refused = [&](dim3 grid, dim3 block, size_t shared) {
    return error_of([&] { launch(stream_.get(), number, grid, block, shared, view(x_)); });
  };
  EXPECT_EQ(refused(0, 32, 0), "");
  expect_report(refused(1, 1025, 0), {"a block of 1025 x 1 x 1 threads"});
  expect_report(refused(1, dim3(1, 1, 65), 0), {"threads"});
  expect_report(refused(dim3(1, 65536), 32, 0), {"a grid of 1 x 65536 x 1"});
  expect_report(refused(1, 32, 200 * 1024), {"bytes of shared memory"});
  expect_report(report([&] { launch(stream_.get(), much_shared<7000>, 1, 32, 0, view(x_)); }),
                {"49152 bytes of shared memory"});
  EXPECT_EQ(checked_blocks(0x7fffffff), 0x7fffffffu);
  EXPECT_NE(error_of([] { checked_blocks(int64_t{1} << 31); }).find("needs 2147483648 blocks"),
            std::string::npos);
  // Each may be had alone.
  expect_report(
      report([&] { launch(stream_.get(), much_shared<6000>, 1, 32, 60 * 1024, view(x_)); }),
      {"101376 bytes of shared memory with those of the launch"});
  EXPECT_EQ(report([&] { launch(stream_.get(), much_shared<6000>, 1, 1, 50 * 1024, view(x_)); }),
            "");
}

TEST_F(CudaOnCpu, HostCodeCannotTouchDeviceMemory) {
  EXPECT_EXIT(*x_.data<float>() = 0, ::testing::ExitedWithCode(139),
              "host code touched device memory");
  EXPECT_EXIT(std::exit(*x_.data<float>() > 0), ::testing::ExitedWithCode(139),
              "host code touched device memory");
}

__global__ void copy_kernel(Global<const float> x, Global<float> y) {
  const int64_t i = global_index();
  if (i < y.size) y[i] = x[i];
}

TEST_F(CudaOnCpu, AMissingEventShowsInSomeOrder) {
  CudaStream other(gpu);
  const auto first_value = [&](bool with_event, Streams order) {
    emulation::settings().streams = order;
    const Tensor a = device_tensor(64), b = device_tensor(64);
    CudaEvent ready(gpu);
    launch(stream_.get(), number, 1, 64, 0, view(a));
    ready.record(stream_.get());
    if (with_event) ready.wait(other.get());
    launch(other.get(), copy_kernel, 1, 64, 0, view(a), view(b));
    synchronize(other.get());
    return values(b)[1];
  };
  for (Streams order : {Streams::minimal, Streams::others_first, Streams::random})
    EXPECT_EQ(first_value(true, order), 1);
  EXPECT_TRUE(std::isnan(first_value(false, Streams::minimal)));
}

TEST_F(CudaOnCpu, NothingRunsBeforeItIsNeeded) {
  emulation::settings().streams = Streams::minimal;
  launch(stream_.get(), number, 16, 64, 0, view(x_));
  EXPECT_TRUE(std::isnan(device_bytes(x_.data<float>())[5]));
  EXPECT_EQ(values(x_)[5], 5);
}

TEST_F(CudaOnCpu, CopiesNeedPinnedMemoryAndStayInside) {
  const Tensor pageable = host_tensor({1024}, DataType::f32);
  expect_report(error_of([&] { copy_async(pageable, x_, stream_.get()); }), {"not pinned"});
  const Tensor pinned(allocate_pinned(4096, nullptr, Owner::other, "test"), DataType::f32, {1024});
  std::iota(pinned.data<float>(), pinned.data<float>() + 1024, 0.0f);
  copy_async(pinned, x_, stream_.get());
  synchronize(stream_.get());
  EXPECT_EQ(values(x_)[1023], 1023);
  EXPECT_NE(cudaErrorMemoryAllocation, cudaSuccess);
  expect_report(error_of([&] { device_tensor(int64_t{1} << 40); }),
                {"cuda:0 has no 4398046511104 bytes", "are free"});
}

TEST_F(CudaOnCpu, APlainCopyArrivesLateUnlessItIsWaitedFor) {
  emulation::settings().streams = Streams::minimal;
  Tensor pageable = host_tensor({1024}, DataType::f32);
  std::iota(pageable.data<float>(), pageable.data<float>() + 1024, 0.0f);
  const Tensor y = device_tensor(1024);
  const auto last_value = [&](const Tensor& x) {
    launch(stream_.get(), copy_kernel, 16, 64, 0, view(x), view(y));
    synchronize(stream_.get());
    return device_bytes(y.data<float>())[1023];
  };
  cudaMemcpy(x_.raw(), pageable.raw(), x_.bytes(), cudaMemcpyDefault);
  EXPECT_TRUE(std::isnan(last_value(x_)));
  const Tensor z = device_tensor(1024), w = device_tensor(1024);
  copy_now(pageable, z);
  EXPECT_EQ(last_value(z), 1023);
  copy_now(z, w);
  EXPECT_EQ(last_value(w), 1023);
  pageable.data<float>()[1023] = 5;  // it has been read
  EXPECT_EQ(values(x_)[1023], 1023);
}

TEST_F(CudaOnCpu, AGraphRepeatsItsWorkWithTheEventsInsideAndOutside) {
  const Tensor y = device_tensor(1024), z = device_tensor(1024);
  CudaStream side(gpu);
  CudaEvent fork(gpu), join(gpu), outside(gpu);
  EXPECT_NE(error_of([&] { outside.record_external(stream_.get()); }).find("InvalidValue"),
            std::string::npos);
  const CudaGraph graph(stream_.get(), [&] {
    launch(stream_.get(), copy_kernel, 16, 64, 0, view(x_), view(y));
    fork.record(stream_.get());
    fork.wait(side.get());
    launch(side.get(), copy_kernel, 16, 64, 0, view(y), view(z));
    join.record(side.get());
    outside.record_external(stream_.get());
    join.wait(stream_.get());
  });
  EXPECT_EQ(graph.nodes(), 2u);
  EXPECT_TRUE(std::isnan(values(z)[1]));
  launch(stream_.get(), number, 16, 64, 0, view(x_));
  graph.launch(stream_.get());
  synchronize(stream_.get());
  EXPECT_EQ(values(z)[1000], 1000);
  EXPECT_TRUE(outside.done());
  launch(stream_.get(), copy_kernel, 16, 64, 0, view(y), view(x_));
  graph.launch(stream_.get());
  EXPECT_EQ(values(z)[1000], 1000);
}

TEST_F(CudaOnCpu, ACaptureRefusesToSynchronise) {
  EXPECT_NE(error_of([&] {
              CudaGraph graph(stream_.get(), [&] {
                launch(stream_.get(), number, 16, 64, 0, view(x_));
                synchronize(stream_.get());
              });
            }),
            "");
  launch(stream_.get(), number, 16, 64, 0, view(x_));  // the stream works again
  EXPECT_EQ(values(x_)[3], 3);
}

}  // namespace
}  // namespace py4cast::testing
#endif
