// A file of weights.
#include "engine/safetensors.h"

#include "tests/fuzz/door.h"

void py4cast::enter(std::string_view input) {
  const Stranger file("weights.safetensors", input);
  read_safetensors(file.path());
}
