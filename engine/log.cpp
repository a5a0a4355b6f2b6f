#include "engine/log.h"

#include <unistd.h>

#include <ctime>
#include <utility>

namespace py4cast {

std::string time_stamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Logger::~Logger() {
  status("");
}

void Logger::open(const std::string& file) {
  Descriptor descriptor = open_for_appending(file);
  std::lock_guard lock(mutex_);
  file_ = std::move(descriptor);
  write(std::exchange(before_, {}));
}

// A full disk must not end a run because of a line of its log: what matters is checked elsewhere.
void Logger::write(const std::string& lines) {
  [[maybe_unused]] const auto written = ::write(file_.number(), lines.data(), lines.size());
}

void Logger::line(const std::string& text) {
  std::lock_guard lock(mutex_);
  if (terminal_) {
    if (!status_.empty()) *status_stream_ << "\r\033[K" << std::flush;
    *terminal_ << text << std::endl;
    if (!status_.empty()) *status_stream_ << status_ << std::flush;
  }
  const std::string whole = time_stamp() + " " + text + "\n";
  if (file_)
    write(whole);
  else
    before_ += whole;
}

void Logger::status(const std::string& text) {
  std::lock_guard lock(mutex_);
  if (!status_stream_ || text == status_) return;
  *status_stream_ << "\r\033[K" << text << std::flush;
  status_ = text;
}

}  // namespace py4cast
