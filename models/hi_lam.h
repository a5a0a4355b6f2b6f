// HiLAM: messages down and up a hierarchy of meshes.
#pragma once

#include "models/model.h"

namespace py4cast {

// The steps of models/mesh/graph_network.h with the hierarchical graph of L levels; each of
// processor_layers rounds, with networks of its own, goes
//
//   down: node[L - 1], same[L - 1] = down_same_L-1(within level L - 1)
//         node[l], down[l] = down_l(from node[l + 1]), node[l], same[l] = down_same_l(within l),
//         l = L - 2 ... 0
//   up:   node[0], same[0] = up_same_0(within level 0)
//         node[l], up[l - 1] = up_l-1(from node[l - 1]), node[l], same[l] = up_same_l(within l),
//         l = 1 ... L - 1
//
// x [height, width, features] needs a geometry. `read` reads the file of settings.graph. Source:
// Oskarsson, Landelius, Lindsten, "Graph-based neural weather prediction for limited area
// modeling", 2023; parameters as in mfai 9.0.1.
ModelKind hi_lam(const TensorReader& read);

}  // namespace py4cast
