// The tool: everything that is not py4cast_train, and that too.
#include "train/program_commands.h"

int main(int count, char** words) {
  using namespace py4cast;
  Programs programs;
  programs.init = run_init;
  programs.data_info = run_data_info;
  programs.config = run_config;
  return run_program("py4cast", py4cast_commands(programs), count, words);
}
