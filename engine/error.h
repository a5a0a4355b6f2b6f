// The one exception type of the project.
#pragma once

#include <exception>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace py4cast {

// What went wrong; the value is the exit code of the programs.
enum class ErrorKind {
  configuration = 2,  // a key, a flag, a setting
  data = 3,           // a file, a variable, a value in it
  shape = 4,          // tensors that do not fit together
  memory = 5,
  numeric = 6,  // a loss that is not finite
  communication = 7,
  input_output = 8,  // a disk, a folder
  internal = 9,      // our own mistake
};

// One clear sentence for the user, with the names and the numbers of the case:
//   throw Error(ErrorKind::data, file, ": variable '", name, "' is missing; the nearest is '",
//               nearest, "'");
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}
  // The parts are joined with operator<<.
  template <typename... Parts>
  requires(sizeof...(Parts) > 1) Error(ErrorKind kind, const Parts&... parts) : kind_(kind) {
    std::ostringstream stream;
    (stream << ... << parts);
    message_ = stream.str();
  }

  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorKind kind_;
  std::string message_;
};

// What a program says of an exception, and its exit code.
struct Failure {
  std::string message;
  int exit_code = 0;
};
Failure current_failure();  // of the exception that is being handled: in a catch block

// "py4cast: <message>" on standard error, as one piece: lines of several processes do not mix.
void tell_error(std::string_view message);

// The candidate with the smallest edit distance to the name (empty without candidates): "did you
// mean ...".
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace py4cast
