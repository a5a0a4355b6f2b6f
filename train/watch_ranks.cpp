#include "train/watch_ranks.h"

#include "engine/error.h"

namespace py4cast {

RankWatch watch_ranks(Communicator& communicator, const Configuration& configuration, Logger& log) {
  const bool root = communicator.root();
  return RankWatch(communicator, {.end_seconds = configuration.run.hang_timeout},
                   [&log, root](const std::string& line) {
                     if (root) return log.info(line);
                     tell_error(line);
                   });
}

}  // namespace py4cast
