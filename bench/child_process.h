// Programs that commands of py4cast_bench call, and what they leave.
#pragma once

#include <string>
#include <vector>

namespace py4cast {

// A folder below the system's one for temporary files, which goes with its owner.
// Error(input_output): it cannot be made.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Calls the program words[0], waits for it and returns its exit code; its standard output goes to the
// descriptor `output`. From the first call on SIGTERM, SIGINT and SIGHUP end the program that runs, then
// this one, by an error. `what`: its name in messages. Error(input_output): it cannot be started.
// Error(internal): a signal ended it, or came to this process.
int call_program(const std::string& what, const std::vector<std::string>& words, int output);

}  // namespace py4cast
