// Checkpoints: folders that appear whole, by one rename, holding
//
//   model.safetensors      the networks' state, and CheckpointState::extra as its metadata "trained_with"; names, layouts and shapes are PyTorch's. Several networks:
//                          "<learner>.<name>"
//   optimizer.safetensors  "<slab>.<parameter>" for each slab of the optimiser, in the same layouts;
//                          several learners: "<learner>.<slab>.<parameter>"
//   state.json             CheckpointState, the steps of each learner, format_version, and checksums of the two
//
// Errors: Error(input_output) when a folder or the disk refuses, Error(data) when a file is not
// what it should be; both name the file. A failed or killed save leaves the former checkpoint.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "train/optimizer.h"

namespace py4cast {

// Where a training run stands, beside its parameters, the slabs and the steps of its optimisers.
struct CheckpointState {
  int64_t epoch = 0;      // complete epochs
  int64_t batch = 0;      // batches done in the epoch under way
  int64_t step = 0;       // optimiser steps done, of all learners
  double epoch_loss = 0;  // sum over the samples of the epoch under way
  int64_t seed = 0;
  std::optional<double> best;      // best validation value so far
  int64_t without_best = 0;        // validations since
  std::string configuration_hash;  // fingerprint of what must be the same to go on bit for bit
  int64_t metrics_bytes = 0;       // length of metrics.jsonl at this point; set by RunFolder
  nlohmann::ordered_json extra = nlohmann::ordered_json::object();  // of the task
  bool operator==(const CheckpointState&) const = default;
};

using Learners = std::span<Optimizer* const>;

// Writes the checkpoint `folder`, replacing a former one.
void save_checkpoint(const std::string& folder, Learners learners, const CheckpointState& state);
// Fills the parameters, slabs and steps of the learners. Error(data): a file is missing, truncated, of
// other networks or optimisers, of another format_version, was changed or damaged since, or has weights that are not
// finite.
CheckpointState load_checkpoint(const std::string& folder, Learners learners);
CheckpointState load_checkpoint_state(const std::string& folder);

// What the networks of a file hold, by name, and what they were trained with (Task::checkpoint_record);
// null: the file does not say.
struct Weights {
  std::string file;
  std::map<std::string, Tensor> tensors;
  nlohmann::ordered_json trained_with;
};
// `path` and errors as below.
Weights read_weights(const std::string& path);

// Only the networks; their names may stand below a module (ParameterSlab::below_a_module). `path`: a safetensors file, a checkpoint, or a run folder (best, else last). What
// they were trained with is given back for Task::check; null: the file does not say. Error(data): as of
// load_checkpoint.
nlohmann::ordered_json load_weights(const std::string& path, Learners learners);
// Of one network.
nlohmann::ordered_json load_weights(const std::string& path, ParameterSlab& parameters);

// The checkpoint meant by `path`: a checkpoint folder, or a run folder, of which it is the first of
// `names` that exists. Error(input_output): neither, with what there is.
std::string find_checkpoint(const std::string& path, const std::vector<std::string>& names);
// The same; empty if there is none.
std::string checkpoint_at(const std::string& path, const std::vector<std::string>& names);
// The run folder that `path` is, or that holds the checkpoint `path`. Error(input_output): none.
std::string find_run(const std::string& path);

}  // namespace py4cast
