// py4cast_bench memory
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <regex>

#include "bench/checks.h"
#include "bench/child_process.h"
#include "bench/commands.h"
#include "bench/memory_case.h"
#include "bench/memory_report.h"
#include "engine/cuda.h"
#include "engine/error.h"
#include "engine/files.h"
#include "engine/settings/json.h"

namespace py4cast {
namespace {

using Document = Json;

Document document_of(const std::string& file) {
  return parse_json(read_file(file), file, ErrorKind::data, size_t{1} << 30);
}

std::vector<MemoryResult> results_in(const std::string& file) {
  const Document document = document_of(file);
  std::vector<MemoryResult> results;
  if (!document.is_object() || !document.contains("cases"))
    throw Error(ErrorKind::data, file,
                ": there are no \"cases\"; --out and "
                "bench/peers/torch_memory.py write such a file");
  try {
    for (const Document& each : document["cases"]) results.push_back(result_of(each));
  } catch (const Error& error) {
    throw Error(ErrorKind::data, file, ": ", error.what());
  }
  if (results.empty()) throw Error(ErrorKind::data, file, ": \"cases\" has none");
  return results;
}

MemorySteps steps_of(const Arguments& arguments) {
  const bool quick = arguments.has("quick");
  const MemorySteps steps = {
      .warm_up = arguments.integer("warm-up", quick ? 150 : 500),  // beyond two validations
      .steps = arguments.integer("steps", quick ? 300 : 4000)};
  if (steps.warm_up < 1 || steps.steps < 4 * steps.every)
    throw Error(ErrorKind::configuration, "--warm-up ", steps.warm_up, " --steps ", steps.steps,
                ": at least 1 and ", 4 * steps.every, " are needed");
  return steps;
}

std::vector<MemoryCase> cases_of(const Arguments& arguments) {
  std::vector<MemoryCase> all =
      arguments.has("control") ? memory_controls() : memory_cases(!arguments.has("quick"));
  const std::string pattern = arguments.text("cases", ".*");
  std::vector<MemoryCase> chosen;
  try {
    const std::regex expression(pattern);
    std::ranges::copy_if(all, std::back_inserter(chosen), [&](const MemoryCase& each) {
      return std::regex_search(each.name(), expression);
    });
  } catch (const std::regex_error& error) {
    throw Error(ErrorKind::configuration, "--cases ", pattern, ": ", error.what());
  }
  const auto on_device = [](const MemoryCase& each) {
    return each.normalise == MemoryCase::Normalise::device;
  };
  if (std::string why; cuda_devices(&why).empty()) {
    std::erase_if(all, on_device);
    if (std::erase_if(chosen, on_device) > 0)
      std::fprintf(stderr, "Without the cases that normalise on a device: %s.\n\n", why.c_str());
  }
  if (chosen.empty())
    throw Error(ErrorKind::configuration, "--cases ", pattern, " matches none of ",
                all.front().name(), " ... ", all.back().name(), "; --list prints all");
  return chosen;
}

// What would say nothing beside others.
void check_meanings(const Arguments& arguments) {
  if (arguments.has("from"))
    refuse_options(arguments,
                   {"list", "cases", "steps", "warm-up", "launches", "quick", "here", "out"},
                   "does not go with --from, which measures nothing");
  if (arguments.has("list"))
    refuse_options(arguments, {"steps", "warm-up", "launches", "here", "out", "peer", "svg"},
                   "does not go with --list, which measures nothing");
  if (arguments.has("here"))
    refuse_options(arguments, {"launches"}, "does not go with --here, which is one launch");
}

// Calls this program with these words and waits for it. What it prints is dropped.
void call_myself(const std::vector<std::string>& words, const std::string& what) {
  // Arenas of threads that come and go, and blocks that threads keep for later use, look like growth.
  ::setenv("MALLOC_ARENA_MAX", "1", 1);
  ::setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
  const Descriptor nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (call_program(what, words, nowhere.number()) > 1)  // 1 is a verdict
    throw Error(ErrorKind::internal, what, " ended badly, as it says above");
}

// A control, by the leak that was made; another does not count.
bool is_found_out(const MemoryResult& result) {
  const std::vector<MemoryCase> controls = memory_controls();
  const auto control = std::ranges::find(controls, result.name, &MemoryCase::name);
  if (control == controls.end())
    throw Error(ErrorKind::data, result.name, " is no training that leaks on purpose");
  const std::string signal = control->expected_signal();
  return std::ranges::all_of(result.verdicts, [&](const MemoryVerdict& verdict) {
    return std::ranges::any_of(verdict.failures, [&](const std::string& failure) {
      return failure.starts_with(signal + " ");
    });
  });
}

class Proof {
 public:
  explicit Proof(const Arguments& arguments)
      : arguments_(arguments),
        control_(arguments.has("control")),
        steps_(steps_of(arguments)),
        launches_(arguments.integer("launches", 1)) {
    if (launches_ < 1)
      throw Error(ErrorKind::configuration, "--launches ", launches_, ": at least 1");
  }

  // The exit code.
  int run() {
    if (arguments_.has("list")) {
      for (const MemoryCase& each : cases_of(arguments_)) std::puts(each.name().c_str());
      return 0;
    }
    if (arguments_.has("out")) check_writable(arguments_.text("out"));
    if (arguments_.has("svg")) {
      make_folders(arguments_.text("svg"));
      check_writable(picture("heap"));
    }
    std::vector<MemoryResult> peers;
    if (arguments_.has("peer"))
      for (const std::string& file : words_of(arguments_.text("peer")))
        std::ranges::move(results_in(file), std::back_inserter(peers));
    if (arguments_.has("from")) {
      results_ = results_in(arguments_.text("from"));
    } else {
      measure();
    }
    const bool as_meant = std::ranges::all_of(results_, [&](const MemoryResult& result) {
      return control_ ? is_found_out(result) : !result.leaks();
    });
    std::ranges::move(peers, std::back_inserter(results_));
    std::fputs(memory_table(results_).c_str(), stdout);
    if (arguments_.has("svg"))
      for (const auto& [signal, chart] : memory_charts(results_))
        write_file(picture(signal), svg_of(chart));
    if (control_)
      std::puts(as_meant ? "\nEach leak is found."
                         : "\nA leak is not found: this netCDF is mended (control/netcdf), or the "
                           "proof is broken.");
    return as_meant ? 0 : 1;
  }

 private:
  void measure() {
    const std::vector<MemoryCase> cases = cases_of(arguments_);
    if (arguments_.has("here")) {
      if (cases.size() != 1)
        throw Error(ErrorKind::configuration, "--here takes one case; --cases chooses ",
                    cases.size());
      MemoryRun run = run_memory_case(cases.front(), steps_);
      environment_ = std::move(run.environment);
      add(cases.front(), std::move(run.series));
      return;
    }
    scratch_.emplace();
    ::setenv("TMPDIR", scratch_->path().c_str(), 1);  // of the trainings: their files go with it
    for (const MemoryCase& each : cases)
      for (int64_t launch = 0; launch < launches_; ++launch) measure_apart(each);
  }

  void measure_apart(const MemoryCase& what) {
    const std::string file = scratch_->file("case.json");
    std::vector<std::string> words = {"/proc/self/exe",
                                      "memory",
                                      "--here",
                                      "--steps",
                                      std::to_string(steps_.steps),
                                      "--warm-up",
                                      std::to_string(steps_.warm_up),
                                      "--cases",
                                      "^" + what.name() + "$",
                                      "--out",
                                      file};
    if (control_) words.emplace_back("--control");
    call_myself(words, what.name());
    const Document document = document_of(file);
    environment_ = document.at("environment");
    add(what, series_of(document.at("cases").at(0).at("launches").at(0)));
  }

  void add(const MemoryCase& what, MemorySeries series) {
    if (results_.empty() || results_.back().name != what.name())
      results_.push_back({what.name(), what.group(), {}, {}});
    results_.back().add(std::move(series));
    if (arguments_.has("out")) write();
    if (arguments_.has("here")) return;  // its caller says it
    const bool leaks = !results_.back().verdicts.back().failures.empty();
    const std::string launch = launches_ > 1
                                   ? ", launch " + std::to_string(results_.back().launches.size()) +
                                         " of " + std::to_string(launches_)
                                   : "";
    std::fprintf(stderr, "%s%s: %s\n", what.name().c_str(), launch.c_str(), leaks ? "LEAKS" : "ok");
  }

  void write() const {
    Document document = {{"environment", environment_},
                         {"warm_up", steps_.warm_up},
                         {"steps", steps_.steps},
                         {"cases", Document::array()}};
    for (const MemoryResult& result : results_) document["cases"].push_back(to_json(result));
    write_file(arguments_.text("out"), document.dump() + "\n");
  }

  std::string picture(const std::string& signal) const {
    return arguments_.text("svg") + "/" + signal + ".svg";
  }

  const Arguments& arguments_;
  const bool control_;
  const MemorySteps steps_;
  const int64_t launches_;
  Document environment_;
  std::vector<MemoryResult> results_;
  std::optional<ScratchFolder> scratch_;
};

}  // namespace

Command memory_command() {
  return {
      "memory",
      "",
      0,
      0,
      "Whether trainings leak: each case is a training in a process of its own, whose memory is "
      "looked at after every ten steps. Prints a table; the exit code is 1 if a case leaks.",
      {{"cases", "PATTERN", "Those whose name has this regular expression."},
       {"list", "", "Only print the names of the cases."},
       {"steps", "N", "Steps that are watched; 4000."},
       {"warm-up", "N", "Steps before them; 500."},
       {"launches", "N", "Processes for each case; 1."},
       {"quick", "", "Fewer steps, and without the corners: in about a minute."},
       {"control", "",
        "Instead: trainings that leak on purpose, one as netCDF 4.9.0 does at each opening. The "
        "exit code is 0 only if each is found out."},
       {"here", "",
        "One case in this process, for a heap profiler (MALLOC_ARENA_MAX=1 "
        "GLIBC_TUNABLES=glibc.malloc.tcache_count=0)."},
       {"out", "FILE", "Write the series and the verdicts as JSON, after each training."},
       {"from", "FILE", "Measure nothing; take what an earlier --out wrote."},
       {"peer", "FILES",
        "Also show what bench/peers/torch_memory.py or another --out wrote; comma separated."},
       {"svg", "FOLDER", "Draw the curves there, a picture for each signal."}},
      {},
      [](const Arguments& arguments) {
        check_meanings(arguments);
        return Proof(arguments).run();
      }};
}

}  // namespace py4cast
