#include "engine/runtime.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <new>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/log.h"

namespace py4cast {
namespace {

using Json = nlohmann::ordered_json;

// The cores that a process may use, and the machine they are in.
struct Cores {
  uint64_t machine;
  std::array<uint64_t, 128> mask;

  int count() const {
    int sum = 0;
    for (uint64_t word : mask) sum += std::popcount(word);
    return sum;
  }
};

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

// The rest of the first line of a file that begins so; empty if there is none.
std::string line_of(const char* file, const std::string& begin) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);)
    if (line.starts_with(begin))
      return line.substr(std::min(line.size(), line.find_first_not_of(" \t:", begin.size())));
  return "";
}

Cores own_cores() {
  Cores cores{};
  const std::string boot = line_of("/proc/sys/kernel/random/boot_id", "");
  cores.machine = std::hash<std::string>()(host_name() + boot);
  if (::sched_getaffinity(0, sizeof cores.mask, reinterpret_cast<cpu_set_t*>(cores.mask.data())))
    cores.mask[0] = 1;
  return cores;
}

// The device and why.
std::pair<Device, std::string> choose_device(const std::string& wanted) {
  if (wanted == "cpu") return {Device{}, "cpu"};
  if (wanted == "auto") return {Device{}, "cpu (auto: built without CUDA)"};
  if (wanted == "cuda" || wanted.starts_with("cuda:"))
    throw Error(
        ErrorKind::configuration, "device '", wanted,
        "': this program was built without CUDA (PY4CAST_CUDA=OFF), so it cannot use a GPU");
  throw Error(ErrorKind::configuration, "device '", wanted, "' is unknown; did you mean '",
              nearest_name(wanted, {"auto", "cpu", "cuda"}), "'?");
}

}  // namespace

Runtime::Runtime(const std::string& device) {
  std::string choice;
  std::tie(device_, choice) = choose_device(device);
  communicator_ = started_by_mpi() ? mpi_communicator(ledger_) : single_process();
  share_cores();
  const int ranks = communicator_->size();
  description_ = choice + ", " + std::string(name_of(best_cpu_level())) + ", " +
                 (ranks > 1 ? std::to_string(ranks) + " ranks of " : "") +
                 std::to_string(threads_) + (threads_ > 1 ? " threads" : " thread");
}

// Ranks of one machine may be bound to cores of their own, or share some.
void Runtime::share_cores() {
  const Cores own = own_cores();
  Cores all = own;
  int neighbours = 0;
  for (const Cores& other : communicator_->all_gather_values(own)) {
    if (other.machine != own.machine) continue;
    ++neighbours;
    for (size_t i = 0; i < all.mask.size(); ++i) all.mask[i] |= other.mask[i];
  }
  threads_ = std::getenv("OMP_NUM_THREADS")
                 ? omp_get_max_threads()
                 : std::max(1, std::min(own.count(), all.count() / neighbours));
  omp_set_num_threads(threads_);
}

Context Runtime::context() {
  Context context;
  context.device = device_;
  context.precision = precision_;
  context.ledger = &ledger_;
  context.libraries = &libraries_;
  return context;
}

std::vector<std::string> Runtime::engines() {
  const std::lock_guard lock(libraries_.mutex);
  return libraries_.libraries ? libraries_.libraries->choices() : std::vector<std::string>();
}

void Runtime::abort_with_current_error() {
  std::string message = "internal error";
  int exit_code = static_cast<int>(ErrorKind::internal);
  try {
    throw;
  } catch (const Error& error) {
    message = error.what();
    exit_code = error.exit_code();
  } catch (const std::bad_alloc&) {
    message = "not enough memory";
    exit_code = static_cast<int>(ErrorKind::memory);
  } catch (const std::exception& error) {
    message += std::string(": ") + error.what();
  }
  communicator_->abort(message, exit_code);
}

Json environment_report(Runtime& runtime) {
  std::string processor = line_of("/proc/cpuinfo", "model name");
  if (processor.empty()) processor = "unknown";
  return {{"time", time_stamp()},
          {"host", host_name()},
          {"system", line_of("/proc/version", "Linux version")},
          {"processor", processor},
          {"cores", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"cores_allowed", own_cores().count()},
          {"cpu_level", name_of(best_cpu_level())},
          {"ranks", runtime.communicator().size()},
          {"threads", runtime.threads()},
          {"device", runtime.description()},
          {"engines", runtime.engines()},
          {"commit", PY4CAST_COMMIT},
          {"compiler", PY4CAST_COMPILER},
          {"build_type", PY4CAST_BUILD_TYPE},
          {"transport", runtime.communicator().transport()}};
}

}  // namespace py4cast
