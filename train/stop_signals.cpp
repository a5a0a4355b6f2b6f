#include "train/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace py4cast {
namespace {

constexpr std::array<std::pair<int, const char*>, 3> stopping{
    {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}}};

volatile sig_atomic_t first = 0, at_once = 0;  // of a handler: the signal that came; whether to end
std::array<struct sigaction, stopping.size()> before;

void note(int signal) {
  if (at_once) ::_exit(stopped_exit_code);
  if (first) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  }
  first = signal;
}

}  // namespace

StopSignals::StopSignals() {
  first = 0;
  at_once = 0;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < stopping.size(); ++i) ::sigaction(stopping[i].first, &action, &before[i]);
}

StopSignals::~StopSignals() {
  for (size_t i = 0; i < stopping.size(); ++i) ::sigaction(stopping[i].first, &before[i], nullptr);
}

bool StopSignals::received() const {
  return first != 0;
}

std::string StopSignals::name() const {
  for (const auto& [signal, name] : stopping)
    if (signal == first) return name;
  return {};
}

void StopSignals::end_at_once() {
  at_once = 1;
}

}  // namespace py4cast
