// Commands, their options and their help.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/settings/resolve.h"

namespace py4cast {

struct Option {
  std::string name;   // without dashes: "out"
  std::string value;  // placeholder of its value, "FILE"; empty: a switch
  std::string description;
};

// What was given to a command.
struct Arguments {
  std::vector<std::string> positional;
  std::map<std::string, std::string> options;  // a switch has the value ""
  std::vector<FlagValue> flags;                // of the configuration

  bool has(const std::string& option) const { return options.count(option) > 0; }
  std::string text(const std::string& option, const std::string& otherwise = "") const;
  // Error(configuration): not an integer.
  int64_t integer(const std::string& option, int64_t otherwise) const;
  // Error(configuration): not given.
  std::string required(const std::string& option) const;
};

struct Command {
  std::string name;                  // "predict" or, with a group, "data simulate"
  std::string positional;            // for the help: "RUN", "[CONFIG]"
  size_t at_least = 0, at_most = 0;  // positional arguments
  std::string summary;
  std::vector<Option> options;
  // Takes the flags of these keys too; absent: none.
  std::function<Layout()> configuration = {};
  std::function<int(const Arguments&)> run;
  bool explains_keys = false;  // in its help; that of others refers to "train"
};

// Error(configuration): an unknown flag with the nearest, a flag without its value, a wrong number
// of positional arguments.
Arguments parse_arguments(const Command& command, const std::vector<std::string>& words);

// `program` is how the command is called: "py4cast predict".
std::string command_help(const std::string& program, const Command& command);

// Runs the command that the words name; a program with one command has no name for it (""). --help
// and --version print and return 0. Errors are printed as one sentence, "py4cast: ...", and become
// the exit code.
int run_program(const std::string& program, const std::vector<Command>& commands, int count,
                char** words);

}  // namespace py4cast
