// Tensors for py4cast model forward: the weights of a small network, and what goes into it.
#include <fstream>

#include "engine/parameters.h"
#include "engine/safetensors.h"
#include "tests/fuzz/door.h"
#include "train/network.h"
#include "train/programs/built_in.h"
#include "train/programs/commands.h"

namespace {

using namespace py4cast;

const Json& network_settings() {
  static const Json settings = {{"num_filters", 2}};
  return settings;
}

// Good files, for the other half of what the command needs.
struct GoodFiles {
  GoodFiles() {
    std::ofstream(settings.path()) << network_settings();
    Network network(built_in_models(), "halfunet", field_ports(16, 16, 2, 1), network_settings(),
                    false, 1, Context{}, false);
    write_safetensors(weights.path(), network.slab().state());
    write_safetensors(x.path(), {{"x", Context{}.zeros({1, 16, 16, 2}, DataType::f32)}});
  }
  Stranger settings{"settings.json"}, weights{"weights.safetensors"}, x{"x.safetensors"};
};

}  // namespace

void py4cast::enter(std::string_view input) {
  static const std::shared_ptr<const Registries> registries = built_in_registries();
  static const Command command = model_forward_command(*registries);
  static const GoodFiles good;
  const Stranger file("given.safetensors", input), y("y.safetensors");
  const auto run = [&](const std::string& weights, const std::string& x) {
    command.run(parse_arguments(
        command, {"--model", "halfunet", "--settings", good.settings.path(), "--device", "cpu",
                  "--weights", weights, "--input", x, "--output", y.path()}));
  };
  unless_wrong([&] { run(file.path(), good.x.path()); });
  run(good.weights.path(), file.path());
}
