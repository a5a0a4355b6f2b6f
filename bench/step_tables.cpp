#include "bench/step_tables.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/checks.h"
#include "bench/google_benchmark.h"
#include "bench/training_rate.h"
#include "engine/error.h"
#include "train/precision.h"

namespace py4cast {
namespace {

constexpr int64_t epoch_batches = 200;

// Source: the documentation of the original, "num steps": three tests of HiLAM in fp32, 200 batches of
// one sample, on a node of four GPUs (V100, 32 GB, by other texts of the project).
struct Published {
  const char* test;
  int64_t side;
  bool limit_in_all;  // the 200 batches are shared by the ranks; else each rank takes 200
  int ranks;
  int64_t forecasts;
  double rate;       // steps per second
  const char* time;  // of the 200 batches; null: not told
};
constexpr Published published[] = {
    {"5df8fa3, 2024-03-11", 500, true, 1, 1, 1.53, "2:10"},
    {"5df8fa3, 2024-03-11", 500, true, 1, 3, 0.59, "5:36"},
    {"5df8fa3, 2024-03-11", 500, true, 4, 1, 0.78, "1:04"},
    {"5df8fa3, 2024-03-11", 500, true, 4, 3, 0.44, "1:54"},
    {"MR 14", 500, true, 1, 3, 0.59, "5:39"},
    {"MR 14", 500, true, 4, 1, 0.80, "1:02"},
    {"MR 14", 500, true, 4, 3, 0.43, "1:55"},
    {"MR 26, 2024-03-22", 512, false, 1, 1, 1.51, "2:12"},
    {"MR 26, 2024-03-22", 512, false, 1, 3, 0.58, "5:42"},
    {"MR 26, 2024-03-22", 512, false, 4, 1, 0.88, "3:48"},
};

std::string clock_time(double seconds) {
  const auto whole = std::llround(seconds);
  char text[32];
  std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  return text;
}

class Tables {
 public:
  Tables(const Registries& registries, Runtime& runtime, const Arguments& arguments)
      : registries_(registries),
        runtime_(runtime),
        precision_(arguments.text("precision", "fp32")),
        root_(runtime_.communicator().root()),
        ranks_(runtime_.communicator().size()),
        steps_(arguments.has("full") ? epoch_batches : arguments.integer("batches", usual_steps())),
        full_(arguments.has("full")),
        size_(arguments.has("size") ? grid_side(arguments) : 0) {
    for (const std::string& network : words_of(arguments.text("networks", "hilam")))
      networks_.push_back(step_case("networks", network));
    check_choice("precision", precision_, {"fp32", "tf32", "bf16"});
    set_precision(runtime_, precision_);
    if (steps_ < 4)
      throw Error(ErrorKind::configuration, "--batches ", steps_, ": at least 4 are needed");
  }

  void print(bool sweep) {
    for (const StepCase& network : networks_) print(network, sweep);
  }

 private:
  void print(const StepCase& network, bool sweep) {
    print_head(network.name);
    if (network.name == "hilam" && size_ == 0) {
      print_published(network);
    } else {
      say("\n| steps ahead | it/s | 200 batches |\n|---|---|---|\n");
      for (const int64_t forecasts : {1, 3}) {
        const TrainingRate& rate = measure(network, side(), forecasts);
        say("| %lld | %.3g | %s |\n", static_cast<long long>(forecasts), rate.rate(),
            clock_time(rate.seconds(epoch_batches)).c_str());
      }
    }
    print_blocks(measure(network, side(), 1));
    print_parts(network);
    if (sweep) print_sweep(network);
  }

  int64_t usual_steps() const { return runtime_.device().kind == DeviceKind::cpu ? 12 : 100; }
  int64_t side() const { return size_ ? size_ : 512; }

  template <typename... Values>
  void say(const char* format, Values... values) const {
    if (!root_) return;
    if constexpr (sizeof...(values) == 0)
      std::fputs(format, stdout);
    else
      std::printf(format, values...);
    std::fflush(stdout);
  }

  void print_head(const std::string& network) {
    const nlohmann::ordered_json environment = environment_report(runtime_);
    const auto fact = [&](const char* name) {
      return environment.contains(name) && environment[name].is_string()
                 ? environment[name].get<std::string>()
                 : std::string("unknown");
    };
    say("# %s, %s\n\n%s; processor %s; commit %s; %s\n", network.c_str(), precision_.c_str(),
        runtime_.description().c_str(), fact("processor").c_str(), fact("commit").c_str(),
        full_ ? "all 200 batches measured"
              : ("200 batches extrapolated from " + std::to_string(steps_)).c_str());
    say("149 features in, 69 out, batch 1 a rank, forward, backward, AdamW; fields from memory by "
        "10 "
        "workers, 2 batches ahead of each\n");
  }

  // A case is measured once.
  const TrainingRate& measure(const StepCase& network, int64_t side, int64_t forecasts) {
    const std::string key =
        network.name + " " + std::to_string(side) + " " + std::to_string(forecasts);
    const auto found = rates_.find(key);
    if (found != rates_.end()) return found->second;
    return rates_[key] =
               train_for(registries_, runtime_, case_of(network, side, forecasts), steps_);
  }

  TrainingCase case_of(const StepCase& network, int64_t side, int64_t forecasts) const {
    return {.network = network,
            .side = side,
            .forecasts = forecasts,
            .device = runtime_.device().kind == DeviceKind::cpu ? "cpu" : "cuda",
            .precision = precision_};
  }

  void print_published(const StepCase& hilam) {
    say("\n| test | grid | ranks | steps ahead | limit of 200 | it/s there | epoch there | it/s "
        "here | "
        "epoch here |\n|---|---|---|---|---|---|---|---|---|\n");
    for (const Published& row : published) {
      std::string here = "| mpirun -np " + std::to_string(row.ranks) + " | ";
      if (row.ranks == ranks_) {
        const TrainingRate& rate = measure(hilam, row.side, row.forecasts);
        const int64_t steps = row.limit_in_all ? epoch_batches / row.ranks : epoch_batches;
        char text[64];
        std::snprintf(text, sizeof text, "| %.3g | %s ", rate.rate(),
                      clock_time(rate.seconds(steps)).c_str());
        here = text;
      }
      say("| %s | %lld | %d | %lld | %s | %.2f | %s %s|\n", row.test,
          static_cast<long long>(row.side), row.ranks, static_cast<long long>(row.forecasts),
          row.limit_in_all ? "in all" : "per rank", row.rate, row.time, here.c_str());
    }
  }

  // The original saw its rate rise batch after batch.
  void print_blocks(const TrainingRate& rate) const {
    say("\nOne step ahead, %lld x %lld: first step begins after %.2f s (data, network, memory "
        "plan) and "
        "takes %.2f s.\n\n| steps | it/s |\n|---|---|\n",
        static_cast<long long>(side()), static_cast<long long>(side()), rate.ready, rate.steps[0]);
    const size_t count = rate.steps.size(), block = std::max<size_t>(1, count / 4);
    for (size_t first = 0; first < count; first += block) {
      const size_t last = std::min(count, first + block);
      say("| %zu-%zu | %.3g |\n", first + 1, last, rate.rate(first, last));
    }
  }

  void print_parts(const StepCase& network) {
    StepSeconds seconds{};
    train_for(registries_, runtime_, case_of(network, side(), 1), steps_, &seconds);
    const auto steps = static_cast<double>(steps_ - steps_ / 2);
    say("\n| part of a step | ms |\n|---|---|\n");
    for (size_t part = 0; part < seconds.size(); ++part)
      say("| %s | %.4g |\n", step_part_names[part], 1e3 * seconds[part] / steps);
  }

  void print_sweep(const StepCase& network) {
    say("\n| it/s: workers | prefetch 1 | 2 (default) | 4 |\n|---|---|---|---|\n");
    for (const int64_t workers : {0, 1, 4, 10}) {
      say("| %lld |", static_cast<long long>(workers));
      for (const int64_t prefetch : {1, 2, 4}) {
        if (workers == 0 && prefetch > 1) {
          say(" |");
          continue;
        }
        TrainingCase what = case_of(network, side(), 1);
        what.workers = workers;
        what.prefetch = prefetch;
        say(" %.3g |", train_for(registries_, runtime_, what, steps_).rate());
      }
      say("\n");
    }
  }

  const Registries& registries_;
  Runtime& runtime_;
  const std::string precision_;
  const bool root_;
  const int ranks_;
  const int64_t steps_;
  const bool full_;
  const int64_t size_;
  std::vector<StepCase> networks_;
  std::map<std::string, TrainingRate> rates_;
};

}  // namespace

int print_step_tables(const Registries& registries, const Arguments& arguments) {
  return with_runtime(arguments.text("device", "cpu"), [&](Runtime& runtime) {
    Tables(registries, runtime, arguments).print(arguments.has("sweep"));
    return 0;
  });
}

}  // namespace py4cast
