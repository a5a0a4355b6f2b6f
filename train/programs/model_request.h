// What the commands `model ...` share: a network without data.
#pragma once

#include <vector>

#include "engine/tape.h"
#include "engine/tensor_map.h"
#include "train/command_line.h"
#include "train/network.h"
#include "train/registries.h"

namespace py4cast {

// The options of the network, before those of the command.
std::vector<Option> with_model_options(std::vector<Option> options);
// What the options say above `request`, which may be that of a run.
ModelRequest model_request(const Arguments& arguments, ModelRequest request = {});

Ports ports_of(const ModelRequest& request);
Network make_network(const Registries& registries, const ModelRequest& request,
                     const Context& context, bool training);

// One step forward and backward for the sum of the means of the squares of all outputs; the sink is
// called for each parameter.
TensorMap forward_backward(const Network& network, Context context, const TensorMap& inputs,
                           const GradientSink& sink);

}  // namespace py4cast
