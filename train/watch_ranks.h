// The watch over the ranks of a program, as a configuration wants it.
#pragma once

#include "engine/log.h"
#include "engine/rank_watch.h"
#include "train/configuration.h"

namespace py4cast {

// Collective. The log takes what rank 0 says, standard error what another one says.
RankWatch watch_ranks(Communicator& communicator, const Configuration& configuration, Logger& log);

}  // namespace py4cast
