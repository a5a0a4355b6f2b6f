// Training: py4cast_train [CONFIG] [FLAGS].
#include "engine/runtime.h"
#include "train/programs/built_in.h"
#include "train/programs/commands.h"

int main(int count, char** words) {
  using namespace py4cast;
  spin_briefly(words);
  const auto registries = built_in_registries();
  return run_program("py4cast_train", {train_command(*registries, "")}, count, words);
}
