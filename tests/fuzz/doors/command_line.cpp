// Words of a command line, one a line.
#include "train/command_line.h"

#include <sstream>

#include "tests/fuzz/door.h"
#include "train/programs/built_in.h"
#include "train/programs/commands.h"

void py4cast::enter(std::string_view input) {
  static const std::shared_ptr<const Registries> registries = built_in_registries();
  static const Command command = train_command(*registries, "");
  std::vector<std::string> words;
  std::istringstream lines{std::string(input)};
  for (std::string line; std::getline(lines, line);) words.push_back(line);
  const Arguments arguments = parse_arguments(command, words);
  registries->resolve({.flags = arguments.flags});
}
