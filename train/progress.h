// The progress line of the terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "engine/log.h"

namespace py4cast {

// run.progress: "on", "off", or "auto": on if standard error is a terminal.
bool shows_progress(const std::string& choice);

// "epoch 3 [=======>            ] 35/100  12.3/s (41 % of the ceiling)  5 s left  loss 0.1234"; at the end
// the time taken instead of the time left. `before` of what is done were done before these seconds.
// floor: the seconds that the others take at the machine's ceilings (train/ceilings.h). columns: of the
// terminal, which the line does not fill: its bar becomes shorter, then its end is cut off.
std::string progress_line(const std::string& title, int64_t done, int64_t total, double seconds,
                          std::optional<double> loss, std::optional<double> floor = {},
                          int64_t before = 0, int64_t columns = 1000);

// Draws through the log, so that its lines stand above; removes the line when it goes. Does nothing
// if the log has no status line. At most ten times a second.
class Progress {
 public:
  using Clock = std::function<double()>;  // seconds
  static double steady_seconds();

  Progress(Logger& log, std::string title, int64_t total, int64_t before = 0,
           Clock clock = steady_seconds);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(int64_t done, std::optional<double> loss = {}, std::optional<double> floor = {});

 private:
  Logger& log_;
  std::string title_;
  int64_t total_, before_;
  Clock clock_;
  double start_, next_;  // of drawing
};

}  // namespace py4cast
