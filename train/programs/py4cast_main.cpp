// The tool: everything that is not py4cast_train, and that too.
#include "train/programs/program_commands.h"

int main(int count, char** words) {
  using namespace py4cast;
  Programs programs;
  programs.train = run_train;
  programs.dry_run = run_dry;
  programs.test = run_test;
  programs.predict = run_predict;
  programs.init = run_init;
  programs.data_simulate = run_data_simulate;
  programs.data_info = run_data_info;
  programs.data_order = run_data_order;
  programs.model_info = run_model_info;
  programs.model_weights = run_model_weights;
  programs.model_forward = run_model_forward;
  programs.config = run_config;
  return run_program("py4cast", py4cast_commands(programs), count, words);
}
