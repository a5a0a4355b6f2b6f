// py4cast_bench compare
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "bench/checks.h"
#include "bench/commands.h"
#include "bench/compare.h"
#include "bench/google_benchmark.h"
#include "bench/report.h"
#include "engine/error.h"
#include "engine/files.h"

extern char** environ;

namespace py4cast {
namespace {

namespace fs = std::filesystem;

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "py4cast_bench.XXXXXX").string();
    if (!mkdtemp(name.data()))
      throw Error(ErrorKind::input_output, name, ": the folder cannot be made");
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code code;
    fs::remove_all(path_, code);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string program_of(const std::string& build) {
  const fs::path program =
      fs::is_directory(build) ? fs::path(build) / "py4cast_bench" : fs::path(build);
  if (!fs::is_regular_file(program))
    throw Error(ErrorKind::input_output, program.string(), ": there is no such program");
  return fs::absolute(program).string();
}

// What it prints goes to standard error. Error(internal): it failed.
void run_to_end(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, 2, 1);
  pid_t process = 0;
  const int status =
      posix_spawn(&process, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int result = 0;
  if (status == 0) waitpid(process, &result, 0);
  if (status != 0 || result != 0)
    throw Error(ErrorKind::internal, words[0], ": failed; its own message stands above");
}

// One run of a build; its times are added.
void add_run(const std::string& program, const Arguments& arguments, const std::string& folder,
             Times& times) {
  const std::string report = folder + "/report.json";
  std::vector<std::string> words = {program, arguments.text("command", "step"),
                                    "--benchmark_out=" + report};
  for (const char* name : {"benchmark_filter", "device", "size", "benchmark_min_time"})
    if (arguments.has(name)) words.push_back("--" + std::string(name) + "=" + arguments.text(name));
  run_to_end(words);
  for (const auto& [name, result] : read_report(report).results)
    times[name].push_back(result.milliseconds);
}

int compare(const Arguments& arguments) {
  const std::string old_program = program_of(arguments.positional[0]),
                    new_program = program_of(arguments.positional[1]);
  const int64_t runs = arguments.integer("runs", 5);
  check_choice("command", arguments.text("command", "step"), {"step", "kernels"});
  if (runs < 3)
    throw Error(ErrorKind::configuration, "--runs ", runs, ": fewer than 3 say nothing");
  const ScratchFolder folder;
  Times before, after;
  for (int64_t run = 0; run < runs; ++run) {
    std::cerr << "run " << run + 1 << " of " << runs << "\n";
    const bool turned = run % 2 == 1;  // what warms up or slows down meanwhile meets both
    if (!turned) add_run(old_program, arguments, folder.path(), before);
    add_run(new_program, arguments, folder.path(), after);
    if (turned) add_run(old_program, arguments, folder.path(), before);
  }
  std::cout << comparison_table(before, after);
  return any_slower(before, after) ? 1 : 0;
}

}  // namespace

Command compare_command() {
  return {"compare",
          "OLD NEW",
          2,
          2,
          "Runs two builds in turn (folders or programs) and compares them case by case. A case is "
          "slower "
          "only if its best new run is slower than its worst old one; then the exit code is 1.",
          {{"command", "NAME", "What is run: step (default) or kernels."},
           {"runs", "N", "Of each build: 5; 3 or more."},
           {"benchmark_filter", "REGEX", "The cases."},
           {"benchmark_min_time", "SECONDS", "Least time of a case."},
           {"device", "DEVICE", "Where to run: cpu (default), cuda, cuda:N."},
           {"size", "N", "Points on a side of the grid."}},
          {},
          compare};
}

}  // namespace py4cast
