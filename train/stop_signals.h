// Signals that ask a training to stop: SIGTERM, SIGINT, SIGUSR1.
#pragma once

#include <string>

namespace py4cast {

// The exit code of a training that a signal has stopped and that can be resumed: EX_TEMPFAIL of sysexits.h,
// which no kind of error has.
constexpr int stopped_exit_code = 75;

// While one lives, the first of these signals is remembered and the process goes on; a second one ends
// it at once, as it would without this. One in a process.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  bool received() const;
  std::string name() const;  // "SIGTERM"; empty: none was received
  // Nothing is lost from now on: the next signal ends the process at once, with stopped_exit_code.
  void end_at_once();
};

}  // namespace py4cast
