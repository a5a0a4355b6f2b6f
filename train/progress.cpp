#include "train/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace py4cast {
namespace {

std::string duration(double seconds) {
  const auto whole = std::llround(seconds);
  char text[32];
  if (whole < 60)
    std::snprintf(text, sizeof text, "%lld s", whole);
  else if (whole < 3600)
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60,
                  whole % 60);
  return text;
}

int64_t terminal_columns() {
  constexpr int64_t usual = 80;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual;
}

}  // namespace

bool shows_progress(const std::string& choice) {
  return choice == "on" || (choice == "auto" && ::isatty(STDERR_FILENO));
}

std::string progress_line(const std::string& title, int64_t done, int64_t total, double seconds,
                          std::optional<double> loss, std::optional<double> floor, int64_t before,
                          int64_t columns) {
  std::string line = std::to_string(done) + "/" + std::to_string(total);
  char number[48];
  if (done > before && seconds > 0) {
    const double rate = static_cast<double>(done - before) / seconds;
    std::snprintf(number, sizeof number, "  %.3g/s", rate);
    line += number;
    if (floor) {
      const double share = 100 * *floor / seconds;
      std::snprintf(number, sizeof number, " (%.*f %% of the ceiling)", share < 9.95 ? 1 : 0,
                    share);
      line += number;
    }
    line += "  " + (done < total ? duration(static_cast<double>(total - done) / rate) + " left"
                                 : duration(seconds));
  }
  if (loss) {
    std::snprintf(number, sizeof number, "  loss %.4g", *loss);
    line += number;
  }
  const int64_t width =
      std::clamp<int64_t>(columns - 1 - std::ssize(title) - std::ssize(line) - 4, 1, 20);
  const int64_t full = total > 0 ? std::min(width, width * done / total) : 0;
  std::string bar = std::string(static_cast<size_t>(full), '=') +
                    std::string(static_cast<size_t>(width - full), ' ');
  if (full < width) bar[static_cast<size_t>(full)] = '>';
  line = title + " [" + bar + "] " + line;
  return line.substr(0, static_cast<size_t>(std::max<int64_t>(columns - 1, 1)));
}

double Progress::steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Progress::Progress(Logger& log, std::string title, int64_t total, int64_t before, Clock clock)
    : log_(log),
      title_(std::move(title)),
      total_(total),
      before_(before),
      clock_(std::move(clock)),
      start_(clock_()),
      next_(start_) {}

Progress::~Progress() {
  log_.status("");
}

void Progress::update(int64_t done, std::optional<double> loss, std::optional<double> floor) {
  if (!log_.has_status()) return;
  const double now = clock_();
  if (now < next_ && done < total_) return;
  next_ = now + 0.1;
  log_.status(
      progress_line(title_, done, total_, now - start_, loss, floor, before_, terminal_columns()));
}

}  // namespace py4cast
