// A file with a graph over 3 x 3 points, for the networks that compute on one, and for what mfai keeps of it.
#include "models/mesh/mesh_graph.h"
#include "tests/fuzz/door.h"
#include "train/network.h"
#include "train/programs/built_in.h"

void py4cast::enter(std::string_view input) {
  static const std::shared_ptr<const Registries> registries = built_in_registries();
  const Stranger file("graph.nc", input);
  const Json settings = {{"graph", file.path()}, {"hidden_dims", 2}, {"processor_layers", 1}};
  for (const char* name : {"graphlam", "hilam", "hilamparallel"})
    unless_wrong([&] {
      Context context;
      const Network network(registries->models, name, field_ports(3, 3, 2, 1), settings, false, 1,
                            context, false);
      network.model()(context, context.zeros({1, 3, 3, 2}, DataType::f32));
    });
  mfai_buffers(registries->read_tensors(file.path()), file.path());
}
