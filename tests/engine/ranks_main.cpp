// What the tests start with mpirun: one scenario, named by the argument. Prints "good" on each rank
// for which everything was as it should be.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "engine/error.h"
#include "engine/parameters.h"
#include "engine/rank_watch.h"
#include "engine/runtime.h"
#include "engine/signs_of_life.h"
#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/cuda_emulation.h"
#endif

namespace py4cast {
namespace {

void expect(bool condition, const char* what) {
  if (!condition) throw Error(ErrorKind::internal, "not so: ", what);
}
#define CHECK(condition) expect(condition, #condition)

std::string text_of(const Communicator::Block& block) {
  return {reinterpret_cast<const char*>(block.data()), block.size()};
}

void blocks(Communicator& communicator) {
  const int rank = communicator.rank(), size = communicator.size();
  const std::string own(static_cast<size_t>(rank) * 3, static_cast<char>('a' + rank));
  const auto bytes = std::as_bytes(std::span(own.data(), own.size()));
  const auto all = communicator.all_gather(bytes);
  CHECK(all.size() == static_cast<size_t>(size));
  for (int r = 0; r < size; ++r)
    CHECK(text_of(all[static_cast<size_t>(r)]) ==
          std::string(static_cast<size_t>(r) * 3, static_cast<char>('a' + r)));

  CHECK(communicator.broadcast(rank == size - 1 ? std::string("from the last") : "", size - 1) ==
        "from the last");
  CHECK(communicator.broadcast(std::string(), 0).empty());
  CHECK(communicator.broadcast(1.5 + rank) == 1.5);
  CHECK(communicator.any(rank == size - 1) && !communicator.any(false));
  CHECK(communicator.sum(rank + 1) == size * (size + 1) / 2);
  communicator.barrier();
}

// Terms of very different size, so that every order of adding has its own bits.
template <typename T>
std::vector<T> terms(int rank, size_t count) {
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i) {
    uint64_t mixed = (i * 8 + static_cast<size_t>(rank) + 1) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 29)) * 0xbf58476d1ce4e5b9u;
    values[i] = static_cast<T>(static_cast<int64_t>(mixed)) * T{0x1p-64};
    if (mixed & 1) values[i] *= 1000;
  }
  return values;
}

template <typename T>
void sums(Communicator& communicator, size_t count) {
  const auto sum_over = [&](int first, int step) {
    std::vector<T> sum = terms<T>(first, count);
    for (int rank = 1; rank < communicator.size(); ++rank) {
      const std::vector<T> term = terms<T>(first + rank * step, count);
      for (size_t i = 0; i < count; ++i) sum[i] += term[i];
    }
    return sum;
  };
  const std::vector<T> expected = sum_over(0, 1);
  std::vector<T> values = terms<T>(communicator.rank(), count);
  communicator.sum_in_rank_order(values);
  CHECK(count == 0 || std::memcmp(values.data(), expected.data(), count * sizeof(T)) == 0);
  CHECK(count < 1000 || communicator.size() < 3 ||
        expected != sum_over(communicator.size() - 1, -1));
}

void sums(Runtime& runtime) {
  for (size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{7}, size_t{1001}}) {
    sums<float>(runtime.communicator(), count);
    sums<double>(runtime.communicator(), count);
  }
  sums<float>(runtime.communicator(), 2'500'003);  // 10 MB: more than the staging memory
  CHECK(runtime.ledger().live_bytes(Owner::communication) <= size_t{8} << 20);
}

#if PY4CAST_CUDA_EMULATED
template <typename T>
void add_now(const Tensor& sum, const Tensor& x) {
  for (int64_t i = 0; i < sum.numel(); ++i)
    emulation::device_bytes(sum.data<T>())[i] += emulation::device_bytes(x.data<T>())[i];
}
void add_there(Context& context, const Tensor& sum, const Tensor& x) {
  emulation::enqueue(static_cast<cudaStream_t>(context.stream.handle), "add", [=] {
    sum.type() == DataType::f64 ? add_now<double>(sum, x) : add_now<float>(sum, x);
  });
}

// Sums from GPU to GPU, several on their way at once.
template <typename T>
void sums_there(Runtime& runtime) {
  Communicator& communicator = runtime.communicator();
  const Context context = runtime.context();
  std::vector<Tensor> here, there;
  for (int64_t count : {1, 2, 3, 4, 6, 7, 1001, 1200, 5}) {
    here.push_back(host_tensor({count}, data_type_of<T>));
    const std::vector<T> own = terms<T>(communicator.rank(), static_cast<size_t>(count));
    std::copy(own.begin(), own.end(), here.back().data<T>());
    there.push_back(on_device_of(context, here.back(), Owner::other, "values"));
  }
  for (const Tensor& values : there) communicator.sum_in_rank_order(context, values);
  for (size_t i = 0; i < there.size(); ++i) {
    communicator.Communicator::sum_in_rank_order(Context{}, here[i]);
    CHECK(std::memcmp(on_host(there[i]).raw(), here[i].raw(), here[i].bytes()) == 0);
  }
}
#endif

// Rank 1 ends in some way, while the others wait for it.
void end_of_one(Communicator& communicator, const std::string& how) {
  std::cout << "process " + std::to_string(::getpid()) + "\n" << std::flush;
  if (communicator.rank() == 1) {
    if (how == "error") throw Error(ErrorKind::data, "t2m.nc: variable 't2m' is missing");
    if (how == "memory") throw std::bad_alloc();
    if (how == "kill") std::raise(SIGKILL);
    if (how == "exit") ::_exit(0);
  }
  if (how == "all") throw Error(ErrorKind::configuration, "an unknown key");
  communicator.barrier();
}

// Rank 1 takes steps as the others do, but the last one much later: that is said, once.
void late(Communicator& communicator) {
  using std::chrono::milliseconds;
  std::mutex mutex;
  std::vector<std::string> said;
  RankWatch watch(communicator, {.warn_seconds = 3}, [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    said.push_back(line);
  });
  for (int step = 0; step < 60; ++step) {
    watch.arrived();
    std::this_thread::sleep_for(milliseconds(10));
    communicator.barrier();
  }
  if (communicator.rank() == 1) std::this_thread::sleep_for(milliseconds(7000));
  watch.arrived();
  communicator.barrier();
  const std::lock_guard lock(mutex);
  CHECK(said.size() == (communicator.root() ? 1u : 0u));
  if (!communicator.root()) return;
  CHECK(said[0].starts_with("warning: rank 1 on "));
  CHECK(said[0].find(" has made no progress for ") != std::string::npos);
  CHECK(said[0].ends_with(" s: the others wait for it"));
}

// Outside of steps work of any length that shows life is no reason for a word, to stand still is. In a
// phase without any step (end_seconds) it ends the run.
void between_steps(Communicator& communicator, bool ends) {
  using std::chrono::milliseconds;
  std::mutex mutex;
  std::vector<std::string> said;
  RankWatch watch(communicator, {.warn_seconds = 3, .end_seconds = ends ? 3.0 : 0.0},
                  [&](const std::string& line) {
                    const std::lock_guard lock(mutex);
                    said.push_back(line);
                  });
  const bool works = communicator.rank() == 1;
  for (int step = 0; step < (ends ? 0 : 60); ++step) {
    watch.arrived();
    std::this_thread::sleep_for(milliseconds(10));
    communicator.barrier();
  }
  for (int piece = 0; works && piece < 60; ++piece) {
    std::this_thread::sleep_for(milliseconds(100));
    show_life();
  }
  communicator.barrier();
  {
    const std::lock_guard lock(mutex);
    CHECK(said.empty());
  }
  if (works) std::this_thread::sleep_for(milliseconds(7000));
  communicator.barrier();
  const std::lock_guard lock(mutex);
  CHECK(said.size() == (communicator.root() ? 1u : 0u));
  CHECK(!communicator.root() || said[0].starts_with("warning: rank 1 on "));
}

// NCCL refuses ranks that share a GPU; the Runtime would not ask it.
int nccl_on_one_gpu() {
  MemoryLedger ledger;
  Context context;
  context.device = {DeviceKind::cuda, 0};
  nccl_communicator(mpi_communicator(ledger), context, nullptr);
  std::cout << "good\n";
  return 0;
}

int run(const std::string& scenario) {
  if (scenario == "nccl") return nccl_on_one_gpu();
#if PY4CAST_CUDA_EMULATED
  if (scenario == "sums_there") {
    Runtime runtime("cuda");
    return runtime.guard([&] {
      const std::string way = runtime.connect_devices(add_there);
      CHECK(runtime.communicator().size() == 1 || way.find("by NCCL") != std::string::npos);
      sums_there<float>(runtime);
      sums_there<double>(runtime);
      std::cout << "good\n" << std::flush;
      return 0;
    });
  }
#endif
  Runtime runtime("cpu");
  if (scenario == "unguarded") {
    end_of_one(runtime.communicator(), "error");
    return 0;
  }
  return runtime.guard([&] {
    Communicator& communicator = runtime.communicator();
    std::ostringstream line;
    line << "good";
    if (scenario == "blocks")
      blocks(communicator);
    else if (scenario == "late")
      late(communicator);
    else if (scenario == "work" || scenario == "hang")
      between_steps(communicator, scenario == "hang");
    else if (scenario == "sums")
      sums(runtime);
    else if (scenario == "threads")
      line << ": " << runtime.description() << ", report "
           << environment_report(runtime)["threads"];
    else if (scenario == "level")
      line << ": " << name_of(runtime.context().cpu_level);
    else
      end_of_one(communicator, scenario);
    line << "\n";
    std::cout << line.str() << std::flush;
    return 0;
  });
}

}  // namespace
}  // namespace py4cast

int main(int count, char** words) {
  py4cast::spin_briefly(words);
  try {
    return py4cast::run(count > 1 ? words[1] : "");
  } catch (const py4cast::Error& error) {
    std::cerr << "py4cast: " << error.what() << std::endl;
    return error.exit_code();
  }
}
