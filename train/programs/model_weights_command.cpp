// py4cast model weights
#include <iostream>

#include "engine/safetensors.h"
#include "train/programs/commands.h"
#include "train/programs/model_request.h"

namespace py4cast {
namespace {

int model_weights(const Registries& registries, const ModelRequest& request,
                  const std::string& output) {
  Network network = make_network(registries, request, Context{}, false);
  write_safetensors(output, network.slab().state());
  std::cout << output << ": " << network.slab().count() << " trainable parameters\n";
  return 0;
}

}  // namespace

Command model_weights_command(const Registries& registries) {
  return {"model weights",
          "",
          0,
          0,
          "Writes freshly drawn weights with PyTorch's names and layouts.",
          with_model_options({{"output", "FILE", "The safetensors file to write."}}),
          {},
          [&registries](const Arguments& arguments) {
            return model_weights(registries, model_request(arguments),
                                 arguments.required("output"));
          }};
}

}  // namespace py4cast
