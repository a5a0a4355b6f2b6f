#include "bench/checks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  size_t begin = 0;
  for (size_t comma; (comma = list.find(',', begin)) != std::string::npos; begin = comma + 1)
    words.push_back(list.substr(begin, comma - begin));
  words.push_back(list.substr(begin));
  return words;
}

void check_choice(const std::string& option, const std::string& value,
                  const std::vector<std::string>& choices) {
  if (std::ranges::find(choices, value) != choices.end()) return;
  std::string all;
  for (const std::string& choice : choices) all += (all.empty() ? "" : ", ") + choice;
  throw Error(ErrorKind::configuration, "command line: '--", option, "' can be ", all, ", not '",
              value, "'; did you mean '", nearest_name(value, choices), "'?");
}

void refuse_options(const Arguments& arguments, const std::vector<std::string>& options,
                    const std::string& why) {
  for (const std::string& option : options)
    if (arguments.has(option))
      throw Error(ErrorKind::configuration, "command line: '--", option, "' ", why);
}

std::string reason_of(const std::exception& error) {
  const std::string message = error.what();
  const size_t end = message.find("] ");
  return message.starts_with("[json.exception.") && end != std::string::npos
             ? message.substr(end + 2)
             : message;
}

void check_writable(const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  int error = 0;
  if (file.empty() || fs::is_directory(file, ignored)) {
    error = file.empty() ? ENOENT : EISDIR;
  } else if (fs::exists(file, ignored) && !fs::is_regular_file(file, ignored)) {
    if (::access(file.c_str(), W_OK) != 0)
      error = errno;  // to open a pipe would wait for its reader
  } else {
    const std::string probe = file + ".probe" + std::to_string(::getpid());
    if (const Descriptor made(::open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)); made)
      ::unlink(probe.c_str());
    else
      error = errno;
  }
  if (error)
    throw Error(ErrorKind::input_output, file, ": cannot be written: ", std::strerror(error));
}

}  // namespace py4cast
