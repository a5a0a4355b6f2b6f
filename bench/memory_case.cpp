#include "bench/memory_case.h"

#include <netcdf.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <forward_list>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/child_process.h"
#include "bench/process_memory.h"
#include "bench/synthetic_dataset.h"
#include "data/cf/cf_source.h"
#include "data/netcdf/forecast_file.h"
#include "data/netcdf/netcdf_file.h"
#include "data/weather/calendar.h"
#include "engine/error.h"
#include "engine/files.h"
#include "engine/random.h"
#include "train/checkpoint.h"
#include "train/forecast/registries.h"
#include "train/programs/built_in.h"

namespace py4cast {
namespace {

constexpr int64_t square_side = 32, days = 10, between_events = 50;
constexpr std::array file_names = {"opened", "kept", "none"};
constexpr std::array normalise_names = {"cpu", "device", "raw"};
constexpr std::array mode_names = {"train", "validate", "checkpoint", "all"};
constexpr std::array control_names = {"no", "netcdf", "heap", "descriptor", "ledger"};

template <typename Names, typename Value>
std::string name_in(const Names& names, Value value) {
  return names[static_cast<size_t>(value)];
}

// Random fields of every second hour, from `first_hour` on. A sample needs successive hours, so it reads
// the files of the even and of the odd ones in turn.
void write_fields(const std::string& path, int64_t first_hour) {
  ForecastFile file;
  file.grid.rows = file.grid.columns = square_side;
  for (int64_t row = 0; row < square_side; ++row)
    for (int64_t column = 0; column < square_side; ++column) {
      file.grid.latitude.push_back(40 + 0.25 * static_cast<double>(row));
      file.grid.longitude.push_back(0.25 * static_cast<double>(column));
    }
  file.grid.x = file.grid.longitude;
  file.grid.y = file.grid.latitude;
  file.grid.x_name = "longitude";
  file.grid.y_name = "latitude";
  file.grid.axis_units = "degrees";
  file.region = {0, square_side, 0, square_side};
  const Time first = to_time(Calendar::standard, {2023, 1, 1});
  for (int64_t hour = first_hour; hour < days * 24; hour += 2)
    file.times.push_back(first + hour * 3600);
  for (const char* name : {"state_0", "state_1"}) {
    const RandomKey key = RandomKey{static_cast<uint64_t>(first_hour)}.child(file.fields.size());
    ForecastField field;
    field.info.name = name;
    field.info.units = "1";
    field.data.resize(file.times.size() * square_side * square_side);
    for (size_t i = 0; i < field.data.size(); ++i)
      field.data[i] = static_cast<float>(key.normal(i));
    file.fields.push_back(std::move(field));
  }
  write_forecast(path, file);
}

std::vector<FlagValue> data_flags(const MemoryCase& what, const std::vector<std::string>& files) {
  if (what.file == MemoryCase::File::none)
    return {{"--dataset", "synthetic"},
            {"--dataset.settings", R"({"rows": 32, "columns": 32, "states": 2, "forcings": 0})"}};
  return {{"--dataset", what.file == MemoryCase::File::kept ? "netcdf" : "netcdf_opened"},
          {"--dataset.files", files[0] + "," + files[1]},
          {"--dataset.variables", R"({"state_0": {}, "state_1": {}})"},
          {"--dataset.periods.train.start", "2023-01-01"},
          {"--dataset.periods.train.end", "2023-01-08"},
          {"--dataset.periods.valid.start", "2023-01-09"},
          {"--dataset.periods.valid.end", "2023-01-09"},
          {"--dataset.periods.test.start", "2023-01-10"},
          {"--dataset.cache_bytes", "0"}};
}

bool validates(const MemoryCase& what) {
  return what.mode == MemoryCase::Mode::validate || what.mode == MemoryCase::Mode::all;
}
bool saves(const MemoryCase& what) {
  return what.mode == MemoryCase::Mode::checkpoint || what.mode == MemoryCase::Mode::all;
}

std::vector<FlagValue> flags_of(const MemoryCase& what, const std::vector<std::string>& files) {
  std::vector<FlagValue> flags = data_flags(what, files);
  const std::string never = "1000000", forecasts = std::to_string(what.forecasts);
  for (const auto& [flag, value] : std::vector<std::pair<std::string, std::string>>{
           {"--dataset.border", "2"},
           {"--standardize", what.normalise == MemoryCase::Normalise::raw ? "false" : "true"},
           {"--model", "halfunet"},
           {"--model.settings", R"({"num_filters": 8})"},
           {"--num_pred_steps_train", forecasts},
           {"--num_pred_steps_val_test", forecasts},
           {"--num_workers", std::to_string(what.workers)},
           {"--training.accumulate_batches", "1"},
           {"--limit_train_batches", std::to_string(validates(what) ? between_events : 0)},
           {"--val_interval", validates(what) ? "1" : never},
           {"--epochs", never},
           {"--device", what.normalise == MemoryCase::Normalise::device ? "cuda" : "cpu"}})
    flags.push_back({flag, value});
  flags.push_back({"--no_log", std::nullopt});
  return flags;
}

// What is built in, and files of which one is open at a time, in a pool that is made with them.
std::shared_ptr<const Registries> registries_for(std::weak_ptr<NetcdfPool>& opened) {
  return built_in_registries([&](Registries&, ForecastRegistries& forecast) {
    forecast.datasets.add(synthetic_dataset());
    forecast.datasets.add(file_kind("netcdf_opened", {},
                                    [&](const std::vector<std::string>& files,
                                        const std::vector<std::string>&, MemoryLedger* ledger) {
                                      const auto pool = std::make_shared<NetcdfPool>(1, ledger);
                                      opened = pool;
                                      return std::make_unique<CfSource>(pool, files);
                                    }));
  });
}

// Leaks on purpose, until the training is over. Its user holds netcdf_mutex().
class Leak {
 public:
  Leak(MemoryCase::Control kind, MemoryLedger& ledger, std::string file)
      : kind_(kind), ledger_(ledger), file_(std::move(file)) {}

  void step(int64_t number) {
    using Control = MemoryCase::Control;
    if (kind_ == Control::netcdf) open_and_close();
    if (kind_ == Control::heap) pieces_.emplace_front();
    if (number % 100 != 0) return;
    if (kind_ == Control::descriptor) descriptors_.emplace_back(::dup(STDERR_FILENO));
    if (kind_ == Control::ledger) ledger_.add(Space::host, Owner::other, 64, "control");
  }

 private:
  void open_and_close() const {
    int file = 0;
    if (nc_open(file_.c_str(), NC_NOWRITE, &file) != NC_NOERR || nc_close(file) != NC_NOERR)
      throw Error(ErrorKind::input_output, file_, ": cannot be opened and closed");
  }

  const MemoryCase::Control kind_;
  MemoryLedger& ledger_;
  const std::string file_;
  std::forward_list<std::array<char, 48>> pieces_;  // each 64 bytes with what the heap adds
  std::vector<Descriptor> descriptors_;
};

// Looks at the signals between the steps.
class Watch {
 public:
  // pool: null where no files are opened.
  Watch(Runtime& runtime, const MemorySteps& plan, const NetcdfPool* pool, Leak& leak)
      : runtime_(runtime), plan_(plan), pool_(pool), leak_(leak) {
    // What is noted must not move the heap.
    const auto looks = static_cast<size_t>(plan.steps / plan.every + 1);
    series_.steps.reserve(looks);
    for (const auto& [name, value] : signals({}, 0)) series_.signals[name].reserve(looks);
  }

  void step(int64_t number) {
    step_allocations_ += new_allocations();
    const bool look = number >= plan_.warm_up && (number - plan_.warm_up) % plan_.every == 0;
    if (look) wait_for_workers();
    const size_t opens = pool_ ? pool_->opens() : 0;
    // Even a slow one is not reading a file now.
    const std::lock_guard lock(netcdf_mutex());
    leak_.step(number);
    if (number < plan_.warm_up) return;
    const MemoryLedger::Snapshot held = runtime_.ledger().snapshot();
    if (!first_) first_ = held;
    if (held != *first_) ++ledger_changes_;
    if (!look) return;
    series_.steps.push_back(static_cast<double>(number));
    for (const auto& [name, value] : signals(held, opens)) series_.signals[name].push_back(value);
  }
  void before_validation() { step_allocations_ += new_allocations(); }
  void after_validation() { validation_allocations_ = new_allocations(); }

  MemorySeries series() { return std::move(series_); }

 private:
  // They fill their buffers meanwhile; looks at them half-way would differ by what they hold. They are done
  // when the heap has rested for a while.
  static void wait_for_workers() {
    constexpr int enough = 2, most = 100;
    double before = 0;
    for (int round = 0, still = 0; round < most && still < enough; ++round) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      const double now = live_heap();
      still = now == before ? still + 1 : 0;
      before = now;
    }
  }

  uint64_t new_allocations() {
    const uint64_t before = std::exchange(allocations_, runtime_.ledger().allocations());
    return allocations_ - before;
  }

  std::map<std::string, double> signals(const MemoryLedger::Snapshot& held, size_t opens) const {
    std::map<std::string, double> all = process_memory(runtime_.device());
    double bytes = 0;
    for (const auto& [id, block] : held.blocks) bytes += static_cast<double>(block.bytes);
    all["ledger"] = bytes;
    all["ledger_changes"] = static_cast<double>(ledger_changes_);
    all["step_allocations"] = static_cast<double>(step_allocations_);
    all["validation_allocations"] = static_cast<double>(validation_allocations_);
    if (pool_) all["opens"] = static_cast<double>(opens);
    return all;
  }

  Runtime& runtime_;
  const MemorySteps plan_;
  const NetcdfPool* const pool_;
  Leak& leak_;
  MemorySeries series_;
  std::optional<MemoryLedger::Snapshot> first_;
  uint64_t allocations_ = 0, step_allocations_ = 0, validation_allocations_ = 0;
  int64_t ledger_changes_ = 0;
};

}  // namespace

std::string MemoryCase::name() const {
  if (control != Control::no) return "control/" + name_in(control_names, control);
  return name_in(file_names, file) + "/" + name_in(normalise_names, normalise) + "/" +
         std::to_string(workers) + "w/" + std::to_string(forecasts) + "f/" +
         name_in(mode_names, mode);
}

std::string MemoryCase::group() const {
  if (control == Control::netcdf) return "control: nc_open and nc_close";
  if (control != Control::no) return name();
  constexpr std::array words = {"file opened each time", "file kept open", "no file"};
  return "py4cast, " + name_in(words, file);
}

const char* MemoryCase::expected_signal() const {
  if (control == Control::descriptor) return "descriptors";
  return control == Control::ledger ? "ledger_changes" : "heap";
}

std::vector<MemoryCase> memory_cases(bool corners) {
  using File = MemoryCase::File;
  using Normalise = MemoryCase::Normalise;
  using Mode = MemoryCase::Mode;
  std::vector<MemoryCase> cases = {{},
                                   {.file = File::kept},
                                   {.file = File::none},
                                   {.normalise = Normalise::device},
                                   {.normalise = Normalise::raw},
                                   {.workers = 0},
                                   {.workers = 4},
                                   {.forecasts = 3},
                                   {.mode = Mode::validate},
                                   {.mode = Mode::checkpoint}};
  if (!corners) return cases;
  for (const File file : {File::opened, File::none})
    for (const Normalise normalise : {Normalise::cpu, Normalise::device})
      for (const int64_t workers : {0, 4})
        for (const int64_t forecasts : {1, 3})
          for (const Mode mode : {Mode::train, Mode::all}) {
            const MemoryCase corner = {.file = file,
                                       .normalise = normalise,
                                       .workers = workers,
                                       .forecasts = forecasts,
                                       .mode = mode};
            const auto same = [&](const MemoryCase& each) { return each.name() == corner.name(); };
            if (std::ranges::none_of(cases, same)) cases.push_back(corner);
          }
  return cases;
}

std::vector<MemoryCase> memory_controls() {
  using Control = MemoryCase::Control;
  std::vector<MemoryCase> controls;
  for (const Control each : {Control::netcdf, Control::heap, Control::descriptor, Control::ledger})
    controls.push_back({.file = MemoryCase::File::kept, .control = each});
  return controls;
}

MemoryRun run_memory_case(const MemoryCase& what, const MemorySteps& steps) {
  const ScratchFolder folder;
  const std::vector<std::string> files = {folder.file("a.nc"), folder.file("b.nc")};
  for (size_t i = 0; i < files.size(); ++i) write_fields(files[i], static_cast<int64_t>(i));
  std::weak_ptr<NetcdfPool> opened;
  const auto registries = registries_for(opened);
  const Configuration configuration =
      registries->resolve({.file = {}, .environment = {}, .flags = flags_of(what, files)});
  Runtime runtime(configuration.device);
  Logger log(nullptr);
  const auto task = registries->task_of(configuration)
                        .make({.configuration = configuration, .runtime = runtime, .log = log});
  const std::shared_ptr<NetcdfPool> pool = opened.lock();
  TrainerSettings settings = trainer_settings(configuration);
  const int64_t last = steps.warm_up + steps.steps;
  settings.stop = [asked = int64_t{0}, last]() mutable { return ++asked >= last; };
  if (saves(what)) settings.checkpoint = [](int64_t step) { return step % between_events == 0; };
  Leak leak(what.control, runtime.ledger(), files[0]);
  Watch watch(runtime, steps, pool.get(), leak);
  Trainer trainer(runtime.context(), *task, runtime.communicator(), settings);
  TrainerObserver observer;
  observer.on_step = [&](const StepReport&, int64_t number) { watch.step(number); };
  observer.on_epoch = [&](int64_t, double) { watch.before_validation(); };
  observer.on_validation = [&](const Position&, const Evaluation&, bool) {
    watch.after_validation();
  };
  if (saves(what))
    observer.on_checkpoint = [&](const Position& position) {
      CheckpointState state;
      state.step = position.step;
      state.extra = task->checkpoint_record();
      save_checkpoint(folder.file("checkpoint"), trainer.learners(), state);
    };
  trainer.fit(observer);
  return {environment_report(runtime), watch.series()};
}

}  // namespace py4cast
