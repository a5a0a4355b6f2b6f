#include "train/network.h"

namespace py4cast {

Network::Network(const ModelRegistry& models, const std::string& name, const Ports& ports,
                 const Json& settings, bool autopad, int64_t seed, const Context& context,
                 bool training)
    : slab_(context.floating()),
      ports_(ports),
      model_(make_model(models, name, Builder(slab_), ports, settings, autopad)) {
  slab_.allocate(context.device, context.ledger, training);
  slab_.initialise(RandomKey{static_cast<uint64_t>(seed)});
}

}  // namespace py4cast
