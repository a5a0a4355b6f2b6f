// The log of a run: lines with the time, on the terminal and in a file.
#pragma once

#include <mutex>
#include <ostream>
#include <sstream>
#include <string>

#include "engine/files.h"

namespace py4cast {

// Thread safe. Lines look like "2026-03-01T12:00:00Z epoch 3: ..." in the file; the terminal gets
// them without the time. One status line (progress) may stand below the lines of a terminal.
class Logger {
 public:
  // null: no terminal (ranks other than 0). `status` is where the status line goes, null: none.
  explicit Logger(std::ostream* terminal, std::ostream* status = nullptr)
      : terminal_(terminal), status_stream_(status) {}
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  // From now on also to the end of this file, and what was said before. Error(input_output).
  void open(const std::string& file);

  template <typename... Parts>
  void info(const Parts&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    line(stream.str());
  }
  template <typename... Parts>
  void warning(const Parts&... parts) {
    info("warning: ", parts...);
  }

  // Redraws the status line; empty: removes it.
  void status(const std::string& text);
  bool has_status() const { return status_stream_ != nullptr; }

 private:
  void line(const std::string& text);
  void write(const std::string& lines);  // to the file

  std::mutex mutex_;
  std::ostream *terminal_, *status_stream_;
  Descriptor file_;
  std::string before_;  // lines that were said before there was a file
  std::string status_;
};

// The present time, UTC: "2026-03-01T12:00:00Z".
std::string time_stamp();

}  // namespace py4cast
