// A network with its parameters in memory.
#pragma once

#include <memory>
#include <string>

#include "engine/parameters.h"
#include "models/model.h"

namespace py4cast {

// Parameters are allocated on the context's device and drawn from the seed.
class Network {
 public:
  // Errors as of make_model.
  Network(const ModelRegistry& models, const std::string& name, const Ports& ports,
          const Json& settings, bool autopad, int64_t seed, const Context& context, bool training);

  const Model& model() const { return *model_; }
  ParameterSlab& slab() { return slab_; }
  const Ports& ports() const { return ports_; }

 private:
  ParameterSlab slab_;
  Ports ports_;
  std::unique_ptr<Model> model_;
};

}  // namespace py4cast
