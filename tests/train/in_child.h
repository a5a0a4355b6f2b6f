// Functions in processes of their own.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

namespace py4cast {

// Runs f in a process of its own, which is allowed to leave in any way.
template <typename F>
pid_t in_child(F&& f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  return child;
}

// The exit code of a child when it has ended, or minus the signal that ended it.
inline int exit_code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace py4cast
