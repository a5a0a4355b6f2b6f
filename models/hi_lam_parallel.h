// HiLAMParallel: HiLAM with all messages at once.
#pragma once

#include "models/model.h"

namespace py4cast {

// As HiLAM (models/hi_lam.h), but a round is one network over all nodes, level after level, and all
// edges, those within levels, then up, then down; with a perceptron of its own for the edges of
// each set, and for the nodes of each level.
ModelKind hi_lam_parallel(const TensorReader& read);

}  // namespace py4cast
