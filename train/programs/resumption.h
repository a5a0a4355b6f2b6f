// How a training goes on from a checkpoint.
#pragma once

#include <memory>
#include <string>

#include "train/registries.h"

namespace py4cast {

// Of all that must be the same for a run to go on bit for bit (CheckpointState::configuration_hash).
std::string continuation_fingerprint(const Registries& registries,
                                     const Configuration& configuration, int64_t ranks);

// The checkpoint that a training goes on from, as rank 0 sees it: the last one, or the state that the run
// began with before its first epoch has ended. Empty: it begins. Error(input_output): run.resume has
// none. Error(configuration): run.resume and run.resume_or_start are given.
std::string find_start(const RunSection& run, Communicator& communicator);

// Puts the trainer where the checkpoint is, and opens its run folder, whose configuration learns of what
// may change: more epochs, TaskKind::free_keys.
// Error(configuration): something else differs, with its key. Error(data): a file is not what it should
// be, or the checkpoint stands where this training never is.
std::unique_ptr<RunFolder> resume(const Registries& registries, const std::string& checkpoint,
                                  const Configuration& configuration, Trainer& trainer,
                                  const Task& task, Runtime& runtime, Logger& log);

}  // namespace py4cast
