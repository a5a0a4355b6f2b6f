// The tool: everything that is not py4cast_train, and that too.
#include "engine/runtime.h"
#include "train/programs/built_in.h"
#include "train/programs/commands.h"

int main(int count, char** words) {
  using namespace py4cast;
  spin_briefly(words);
  const auto registries = built_in_registries();
  return run_program("py4cast", tool_commands(*registries), count, words);
}
