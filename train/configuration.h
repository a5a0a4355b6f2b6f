// The configuration of a run: every key with its value, checked; and what all tasks share of it.
//
// Whoever needs settings has a struct of them (engine/settings/settings.h) and reads it:
//   configuration.read<ForecastSettings>(), configuration.read<AdamWKeys>("training.optimizer")
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "engine/settings/resolve.h"
#include "engine/settings/settings.h"
#include "train/schedule.h"

namespace py4cast {

struct OptimizerSection : Settings {
  PY4CAST_SETTING(std::string, name, "adamw",
                  "How a gradient changes the weights; letter case and punctuation do not matter.",
                  .flags = {"optimizer"});
};

struct ScheduleSection : Settings {
  PY4CAST_SETTING(Schedule::Kind, name, Schedule::Kind::constant,
                  "Learning rate over the optimiser steps: constant, or half a cosine down to "
                  "min_lr; both after a linear warm-up.",
                  .choices = {"constant", "cosine"});
  PY4CAST_SETTING(int64_t, warmup_steps, 0, "Optimiser steps of the linear warm-up.", .minimum = 0);
  PY4CAST_SETTING(double, min_lr, 0, "Learning rate at the end of the cosine.", .minimum = 0);
};

struct TrainingSection : Settings {
  PY4CAST_SETTING(int64_t, epochs, 200, "Passes over the training period.", .flags = {"epochs"},
                  .minimum = 1);
  PY4CAST_SETTING(
      int64_t, accumulate_batches, 10,
      "Batches whose gradients are averaged for one optimiser step; the last step of an "
      "epoch may have fewer, whose sum is divided by this number, too.",
      .flags = {"accumulate_batches"}, .minimum = 1);
  PY4CAST_SETTING(bool, embed_once, false,
                  "Features of a graph's nodes and edges are embedded once for all accumulated "
                  "batches: less time, more memory; several ranks then equal one that accumulates "
                  "as many batches up to rounding only, and a run goes on with as many ranks.");
  PY4CAST_SETTING(double, clip_norm, 0, "Largest norm of the gradient; 0: no clipping.",
                  .minimum = 0);
  PY4CAST_SECTION(OptimizerSection, optimizer, "The optimiser.");
  PY4CAST_SECTION(ScheduleSection, schedule, "The learning rate over the training.");
  PY4CAST_SETTING(int64_t, val_interval, 1, "Epochs between two validations.",
                  .flags = {"val_interval"}, .minimum = 1);
  PY4CAST_SETTING(int64_t, patience, 0,
                  "The training ends after so many validations in a row without a new lowest loss; "
                  "0: never before its last epoch.",
                  .flags = {"patience"}, .minimum = 0);
  PY4CAST_SETTING(int64_t, limit_train_batches, 0,
                  "Most batches per epoch of training, of validation and of test; 0: all.",
                  .flags = {"limit_train_batches"}, .minimum = 0);
};

struct RunSection : Settings {
  PY4CAST_SETTING(std::string, root, "runs", "Folder of all runs and of the cache of statistics.",
                  .environment = "PY4CAST_ROOTDIR");
  std::string root_folder() const { return root.empty() ? RunSection().root : root; }
  PY4CAST_SETTING(std::string, campaign_name, "camp0", "Folder of the run below the root.",
                  .flags = {"campaign_name"});
  PY4CAST_SETTING(std::string, run_name, "run",
                  "Name of the run; a version number is appended: "
                  "ROOT/CAMPAIGN/DATASET/MODEL/RUN_VERSION.",
                  .flags = {"run_name"});
  PY4CAST_SETTING(bool, no_log, false, "Write no run folder and skip the final test.",
                  .flags = {"no_log"});
  PY4CAST_SETTING(std::string, load_model_ckpt, "",
                  "Start from the weights of this checkpoint or run folder.",
                  .flags = {"load_model_ckpt"});
  PY4CAST_SETTING(std::string, resume, "", "Go on with this run folder or checkpoint, bit for bit.",
                  .flags = {"resume", "resume_from_ckpt"});
  PY4CAST_SETTING(
      std::string, resume_or_start, "",
      "Go on with this run folder if it has a checkpoint, else begin a run in it: what a "
      "job that is queued again always says.",
      .flags = {"resume_or_start"});
  PY4CAST_SETTING(
      std::string, checkpoint_every, "",
      "Checkpoints inside of an epoch, too: every so many optimiser steps (\"500 steps\") "
      "or minutes (\"20 minutes\"); empty: none.",
      .flags = {"checkpoint_every"});
  PY4CAST_SETTING(std::string, progress, "auto", "The progress line on the terminal.",
                  .flags = {"progress"}, .choices = {"auto", "on", "off"});
  PY4CAST_SETTING(Numbers, ceilings, {},
                  "What this machine can do at best, operations and bytes per second of one rank, "
                  "for the share of it that the progress line and speed.jsonl tell; []: measured "
                  "at the start, in a fifth of a second; [0, 0]: no share is told.",
                  .minimum = 0, .lengths = {0, 2});
  PY4CAST_SETTING(std::string, profile_steps, "",
                  "Optimiser steps on a GPU that a profiler records, as FIRST:LAST (nsys profile "
                  "--capture-range=cudaProfilerApi); empty: none (--profiler pytorch is 10-19).",
                  .flags = {"profiler", "profile_steps"},
                  .spellings = {
                      {"None", ""}, {"none", ""}, {"simple", "10-19"}, {"pytorch", "10-19"}});
  PY4CAST_SETTING(bool, cuda_graph, true,
                  "On a GPU: capture each kind of step as a CUDA graph and replay it; the bits are "
                  "the same.");
  PY4CAST_SETTING(int64_t, bucket_bytes, int64_t{16} << 20,
                  "Between GPUs: gradients are summed in parts of this size while the backward "
                  "pass makes the others; the bits are the same.",
                  .minimum = 1);
  PY4CAST_SETTING(
      double, hang_timeout, 600,
      "Several ranks: seconds without progress of one of them, or of its process, after "
      "which the run is ended in words; a warning comes earlier; 0: never.",
      .minimum = 0);
  PY4CAST_SETTING(bool, tensorboard, true, "Write TensorBoard event files.");
  PY4CAST_SETTING(Texts, observers, {}, "Who else is told of steps, epochs and validations.");
  PY4CAST_SETTING(int64_t, gpu, 0,
                  "Number of ranks that the run is meant for; the run is refused with another "
                  "number (mpirun -np N); 0: any.",
                  .flags = {"gpu"}, .minimum = 0);
};

// What all tasks share.
struct GeneralSettings : Settings {
  PY4CAST_SETTING(int64_t, seed, 42,
                  "Seed of all random numbers; two runs with the same seed are equal.",
                  .minimum = 0);
  PY4CAST_SETTING(std::string, device, "auto",
                  "Where the network runs; auto takes a GPU if there is one, cuda:1 the second of "
                  "those that are visible.",
                  .choices = {"auto", "cpu", "cuda"}, .numbered = "cuda",
                  .spellings = {{"gpu", "cuda"}});
  PY4CAST_SETTING(
      std::string, precision, "fp32",
      "Arithmetic of the network: fp32 (alias 32), tf32 (GPU, products only), bf16 (activations) "
      "or fp64 (alias 64; to check others).",
      .choices = {"fp32", "tf32", "bf16", "fp64"},
      .spellings = {{"32", "fp32"},
                    {"32-true", "fp32"},
                    {"bf16-true", "bf16"},
                    {"64", "fp64"},
                    {"64-true", "fp64"}});
  PY4CAST_SETTING(std::string, task, "forecast", "What is trained, and what is done with it.");
  PY4CAST_SECTION(TrainingSection, training, "The training.");
  PY4CAST_SECTION(RunSection, run, "Where the results go and what is reported.");
};

struct Configuration : GeneralSettings {
  Configuration() = default;
  // All keys, as resolve() gives them.
  explicit Configuration(Json all)
      : GeneralSettings(read_settings<GeneralSettings>(all)), document(std::move(all)) {}

  template <typename S>
  S read(const std::string& section = {}) const {
    return read_settings<S>(this->section(section));
  }
  // Empty where there are no keys.
  Json section(const std::string& path) const {
    const Json* place = find_place(document, path);
    return place ? *place : Json::object();
  }

  Json document = Json::object();
};

// --gpu N is the number of ranks of the command line's author. Error(configuration) if it differs.
void check_ranks(const Configuration& configuration, int64_t ranks);

// "500 steps", "20 minutes"; one of them is 0. Error(configuration).
struct CheckpointEvery {
  int64_t steps = 0;
  double minutes = 0;
};
CheckpointEvery checkpoint_every(const std::string& text);

// "10:19" or "10-19": the first and the last optimiser step; empty: {0, -1}. Error(configuration).
std::pair<int64_t, int64_t> profiled_steps(const std::string& text);

}  // namespace py4cast
