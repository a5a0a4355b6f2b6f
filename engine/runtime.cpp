#include "engine/runtime.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

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

// A machine and one of its GPUs.
struct UsedDevice {
  uint64_t machine;
  char uuid[48], name[128];
  bool operator==(const UsedDevice& other) const {
    return machine == other.machine && std::strcmp(uuid, other.uuid) == 0;
  }
};

UsedDevice used_device(Device device) {
  UsedDevice used{own_cores().machine, "", ""};
  if (device.kind == DeviceKind::cpu) return used;
  const CudaDevice chosen = cuda_devices().at(static_cast<size_t>(device.index));
  std::strncpy(used.uuid, chosen.uuid.c_str(), sizeof used.uuid - 1);
  std::strncpy(used.name, chosen.name.c_str(), sizeof used.name - 1);
  return used;
}

// N of "cuda:N"; -1 for "cuda".
int wanted_index(const std::string& wanted) {
  if (wanted == "cuda") return -1;
  const std::string digits = wanted.substr(5);
  if (digits.empty() || digits.size() > 4 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    throw Error(ErrorKind::configuration, "device '", wanted, "': a number must follow 'cuda:'");
  return std::stoi(digits);
}

}  // namespace

std::string unsuitable(const CudaDevice& device) {
  if (device.major >= 8) return "";
  return "the GPU " + device.name + " has compute capability " + std::to_string(device.major) +
         "." + std::to_string(device.minor) + ", this program needs 8.0 or more";
}

// SLURM starts as many processes as it is told, also without a way for them to know each other.
void refuse_lonely_tasks() {
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  if (!started_by_mpi() && tasks && std::atoi(tasks) > 1)
    throw Error(
        ErrorKind::configuration, "srun started ", tasks,
        " processes that do not know of each other: srun --mpi=pmix and mpirun make ranks of "
        "them, srun -n 1 starts one alone");
}

void spin_briefly(char** words) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  ::setenv("GOMP_SPINCOUNT", "3000", 1);
  std::error_code none;
  // By its path, which `ps` shows. Without one, or started by a dynamic loader, this program goes on as it is.
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", none);
  if (!self.filename().string().starts_with("ld-")) ::execv(self.c_str(), words);
}

Runtime::Runtime(const std::string& device) {
  if (device != "cpu" && device != "auto" && device != "cuda" && !device.starts_with("cuda:"))
    throw Error(ErrorKind::configuration, "device '", device, "' is unknown; did you mean '",
                nearest_name(device, {"auto", "cpu", "cuda"}), "'?");
  refuse_lonely_tasks();
  communicator_ = started_by_mpi() ? mpi_communicator(ledger_) : single_process();
  guard([&] {
    const std::string choice = choose_device(device);
    share_cores();
    cpu_level_ = std::ranges::min(communicator_->all_gather_values(best_cpu_level()));
    const int ranks = communicator_->size();
    description_ = choice + ", " + std::string(name_of(cpu_level_)) + ", " +
                   (ranks > 1 ? std::to_string(ranks) + " ranks of " : "") +
                   std::to_string(threads_) + (threads_ > 1 ? " threads" : " thread");
  });
}

bool Runtime::emulated() const {
#if PY4CAST_CUDA_EMULATED
  return device_.kind == DeviceKind::cuda;
#else
  return false;
#endif
}

// Sets the device and its stream; returns them in words, with the reason.
std::string Runtime::choose_device(const std::string& wanted) {
  std::string why;
  std::vector<CudaDevice> devices;
  if (wanted != "cpu") devices = cuda_devices(&why);
#if PY4CAST_CUDA_EMULATED
  if (wanted == "auto") {  // for tests, much slower than the CPU
    devices.clear();
    why = "the GPU is an emulated one";
  }
#endif
  const int given = wanted.starts_with("cuda") ? wanted_index(wanted) : -1;
  const auto count = static_cast<int>(devices.size());
  int neighbours = 0;  // ranks before this one on the same machine
  const std::vector<uint64_t> machines = communicator_->all_gather_values(own_cores().machine);
  for (int rank = 0; rank < communicator_->rank(); ++rank)
    neighbours += machines[static_cast<size_t>(rank)] == own_cores().machine;
  const int index = given >= 0 ? given : neighbours % std::max(count, 1);
  if (index < count) why = unsuitable(devices[static_cast<size_t>(index)]);
  if (count > 0 && !why.empty()) devices.clear();
  // Either all ranks use GPUs or none.
  const bool none = communicator_->any(devices.empty());
  if (wanted == "cpu") return "cpu";
  if (none && wanted == "auto")
    return "cpu (auto: " + (devices.empty() ? why : "not all ranks have a GPU") + ")";
  if (devices.empty())
    throw Error(ErrorKind::configuration, "device '", wanted, "': ", why,
                ", so it cannot use a GPU; --device cpu does without");
  if (given >= count)
    throw Error(ErrorKind::configuration, "device '", wanted, "': this process sees ", count,
                count == 1 ? " GPU, cuda:0" : " GPUs, the last is cuda:",
                count == 1 ? "" : std::to_string(count - 1));
  device_ = {DeviceKind::cuda, index};
  use_device(device_);
  stream_ = std::make_unique<CudaStream>(device_);
  ledger_.count(Resource::stream, "runtime", 1);

  const UsedDevice own = used_device(device_);
  const auto all = communicator_->all_gather_values(own);
  const auto sharing = std::count(all.begin(), all.end(), own);
  const bool alike = std::ranges::all_of(
      all, [&](const UsedDevice& used) { return std::strcmp(used.name, own.name) == 0; });
  for (const UsedDevice& used : all) shared_ |= std::count(all.begin(), all.end(), used) > 1;
  std::ostringstream text;
  text << device_ << " (" << (wanted == "auto" ? "auto: " : "") << own.name << ", " << own.uuid;
  if (sharing > 1) text << ", shared by " << sharing << " ranks";
  if (!alike) text << "; other ranks have other GPUs, which may round differently";
  text << ")";
  return text.str();
}

std::string Runtime::connect_devices(AddInto add) {
  if (communicator_->size() == 1 || device_.kind == DeviceKind::cpu) return "";
  if (shared_) return "sums over ranks go through MPI: ranks share a GPU, which NCCL refuses";
#if PY4CAST_NCCL
  communicator_ = nccl_communicator(std::move(communicator_), context(), add);
  return "sums over ranks go from GPU to GPU by NCCL";
#else
  static_cast<void>(add);
  return "sums over ranks go through MPI: built without NCCL";
#endif
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
  context.cpu_level = cpu_level_;
  context.precision = precision_;
  if (stream_) context.stream = stream_->get();
  context.ledger = &ledger_;
  context.libraries = &libraries_;
  return context;
}

std::vector<std::string> Runtime::engines() {
  const std::lock_guard lock(libraries_.mutex);
  return libraries_.libraries ? libraries_.libraries->choices() : std::vector<std::string>();
}

void Runtime::abort_with_current_error() {
  const Failure failure = current_failure();
  communicator_->abort(failure.message, failure.exit_code);
}

Json environment_report(Runtime& runtime) {
  std::string processor = line_of("/proc/cpuinfo", "model name");
  if (processor.empty()) processor = "unknown";
  Json gpus = Json::array();
  for (const UsedDevice& used :
       runtime.communicator().all_gather_values(used_device(runtime.device())))
    if (used.uuid[0]) gpus.push_back({{"name", used.name}, {"uuid", used.uuid}});
  return {{"time", time_stamp()},
          {"host", host_name()},
          {"system", line_of("/proc/version", "Linux version")},
          {"processor", processor},
          {"cores", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"cores_allowed", own_cores().count()},
          {"cpu_level", name_of(runtime.cpu_level())},
          {"ranks", runtime.communicator().size()},
          {"threads", runtime.threads()},
          {"device", runtime.description()},
          {"engines", runtime.engines()},
          {"gpus", gpus},
          {"cuda", cuda_versions()},
          {"commit", PY4CAST_COMMIT},
          {"compiler", PY4CAST_COMPILER},
          {"build_type", PY4CAST_BUILD_TYPE},
          {"transport", runtime.communicator().transport()}};
}

}  // namespace py4cast
