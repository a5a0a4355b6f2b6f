#include "train/network.h"

namespace py4cast {

Network::Network(const std::string& name, const ModelShape& shape, const Json& settings,
                 bool autopad, int64_t seed, const Context& context, bool training)
    : slab_(context.floating()),
      shape_(shape),
      model_(built_in_models().create(name, Builder(slab_), shape, settings, autopad)) {
  slab_.allocate(context.device, context.ledger, training);
  slab_.initialise(RandomKey{static_cast<uint64_t>(seed)});
}

}  // namespace py4cast
