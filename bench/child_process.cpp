#include "bench/child_process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "engine/error.h"

namespace py4cast {
namespace {

volatile sig_atomic_t running_child = 0, ended_by = 0;  // of a handler: the process; the signal

void end_child(int signal) {
  ended_by = signal;
  if (running_child > 0) ::kill(running_child, SIGKILL);
}

void watch_signals() {
  struct sigaction action {};
  action.sa_handler = end_child;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);  // not under nohup
  }
}

void check_not_ended() {
  if (ended_by) throw Error(ErrorKind::internal, "stopped: ", ::strsignal(ended_by));
}

}  // namespace

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "py4cast_bench.XXXXXX").string();
  if (!::mkdtemp(name.data()))
    throw Error(ErrorKind::input_output, name, ": the folder cannot be made");
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

int call_program(const std::string& what, const std::vector<std::string>& words, int output) {
  static const bool watched = (watch_signals(), true);
  static_cast<void>(watched);
  check_not_ended();
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t process = 0;
  const int error =
      ::posix_spawn(&process, pointers[0], &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error)
    throw Error(ErrorKind::input_output, what, ": cannot be started: ", std::strerror(error));
  running_child = process;
  if (ended_by) ::kill(process, SIGKILL);  // it came in between
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  running_child = 0;
  check_not_ended();
  if (!WIFEXITED(status))
    throw Error(ErrorKind::internal, what,
                ": was ended by a signal: ", ::strsignal(WTERMSIG(status)));
  return WEXITSTATUS(status);
}

}  // namespace py4cast
