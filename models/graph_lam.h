// GraphLAM: one mesh with edges of several lengths.
#pragma once

#include "models/model.h"

namespace py4cast {

// The steps of models/mesh/graph_network.h with the graph that is not hierarchical, and
//   mesh, edges = processor_p(from mesh to mesh along edges),   p = 0 ... processor_layers - 1
// where a node takes the sum or the mean (mesh_aggr) of its messages. x [height, width, features]
// needs a geometry. `read` reads the file of settings.graph. Source: Lam et al., "Learning skillful
// medium-range global weather forecasting", 2023; Oskarsson, Landelius, Lindsten, "Graph-based
// neural weather prediction for limited area modeling", 2023; parameters as in mfai 9.0.1.
ModelKind graph_lam(const TensorReader& read);

}  // namespace py4cast
