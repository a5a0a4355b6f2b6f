// Training: py4cast_train [CONFIG] [FLAGS].
#include "train/programs/program_commands.h"

int main(int count, char** words) {
  using namespace py4cast;
  Programs programs;
  programs.train = run_train;
  programs.dry_run = run_dry;
  programs.test = run_test;
  return run_program("py4cast_train", {train_command(programs, "")}, count, words);
}
