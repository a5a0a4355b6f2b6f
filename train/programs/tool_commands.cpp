#include "train/programs/commands.h"

namespace py4cast {

std::vector<Command> tool_commands(const Registries& registries) {
  std::vector<Command> commands = {train_command(registries), test_command(registries)};
  for (const TaskKind& task : registries.tasks)
    commands.insert(commands.end(), task.commands.begin(), task.commands.end());
  for (const auto& command : {model_info_command(registries), model_weights_command(registries),
                              model_forward_command(registries), model_convert_command(registries),
                              config_command(registries)})
    commands.push_back(command);
  return commands;
}

}  // namespace py4cast
