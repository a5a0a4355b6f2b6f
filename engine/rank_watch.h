// Ranks that watch each other, so that one that dies or stands still is named while the others wait for it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/communicator.h"

namespace py4cast {

struct RankWatchSettings {
  double warn_seconds = 10;  // without progress, and 20 median steps if those are more
  double end_seconds = 600;  // without progress: all ranks are ended; 0: never
};

// A thread on each rank tells rank 0's, by TCP once a second, that its process runs, in how many steps and
// calls of the communicator it has arrived, and how often it has shown life (engine/signs_of_life.h);
// rank 0's tells all. So it is known which rank has ended without a word, which one is stopped or on a
// machine that hangs, and, when nobody gets on any more, for which one the others wait. Rank 0 speaks; of
// rank 0 itself rank 1 does. With one rank nothing is watched.
class RankWatch {
 public:
  // Collective. `say` takes a line for people, on any rank and from the watching thread: a warning, or why
  // nothing can be watched.
  RankWatch(Communicator& communicator, const RankWatchSettings& settings,
            std::function<void(const std::string& line)> say);
  ~RankWatch();  // this rank leaves in order

  // This rank has done its part of one more step and waits for the others. Thread safe. Warnings begin with
  // the second step: what comes before may take any time up to end_seconds.
  void arrived();

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;
};

}  // namespace py4cast
