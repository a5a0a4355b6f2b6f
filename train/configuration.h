// The configuration of a run: plain structs, filled from defaults < file < environment < flags.
//
// The initial values below are the defaults. What may be written for each key, its flags and its
// description stand in configuration_keys.cpp; config/schema.json, config/example.jsonc and the
// help text are made from these two.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace py4cast {

// Keeps the order of the keys: features stand in the order of dataset.variables.
using Json = nlohmann::ordered_json;

struct ModelSection {
  std::string name = "halfunet";
  Json settings = Json::object();  // the network's own settings
  bool autopad = false;
  bool operator==(const ModelSection&) const = default;
};

struct VariableSection {
  std::string name;  // in the file
  std::string role = "state";
  std::vector<double> levels;    // empty: all that the file has
  std::optional<double> weight;  // absent: by level
  std::string short_name;        // empty: the name in the file
  bool operator==(const VariableSection&) const = default;
};

struct Period {
  // ISO 8601, inclusive; a date means the whole day. One of the two may be empty: from the first,
  // to the last time of the data.
  std::string start, end;
  double step = 0;  // hours between the first steps of two samples; 0: every step of the data
  bool given() const { return !start.empty() || !end.empty(); }
  bool operator==(const Period&) const = default;
};

struct Periods {
  Period train, valid, test;
  bool operator==(const Periods&) const = default;
};

struct DatasetSection {
  std::string name = "titan";
  std::vector<std::string> files;  // names or shell patterns
  std::vector<VariableSection> variables;
  Periods periods;
  std::vector<int64_t> subgrid;  // first row, end row, first column, end column; empty: all
  int64_t border = 0;            // width of the frame [points]
  double step_hours = 0;         // 0: as in the files
  std::vector<int64_t> members;  // empty: all
  std::vector<std::string> time_forcings = {"hour", "year"};
  std::vector<std::string> statics = {"x", "y", "geopotential", "border_mask", "land_sea_mask"};
  std::string gaps = "skip";
  std::string missing = "error";
  bool standardize = true;
  bool operator==(const DatasetSection&) const = default;
};

struct OptimizerSection {
  double lr = 1e-3;
  std::vector<double> betas = {0.9, 0.95};
  double weight_decay = 0.01;
  double epsilon = 1e-8;
  bool operator==(const OptimizerSection&) const = default;
};

struct ScheduleSection {
  std::string name = "constant";
  int64_t warmup_steps = 0;
  double min_lr = 0;
  bool operator==(const ScheduleSection&) const = default;
};

struct TrainingSection {
  std::string strategy = "diff_ar";
  std::string loss = "mse";
  int64_t epochs = 200;
  int64_t batch_size = 1;  // of one rank
  int64_t num_input_steps = 2;
  int64_t num_inter_steps = 1;
  int64_t num_pred_steps_train = 1;
  int64_t num_pred_steps_val_test = 5;
  int64_t accumulate_batches = 10;
  double clip_norm = 0;  // 0: off
  OptimizerSection optimizer;
  ScheduleSection schedule;
  int64_t val_interval = 1;         // epochs
  int64_t limit_train_batches = 0;  // 0: all
  int64_t num_workers = 1;
  int64_t prefetch_factor = 2;
  bool pin_memory = true;
  bool operator==(const TrainingSection&) const = default;
};

struct RunSection {
  std::string root = "runs";
  std::string campaign_name = "camp0";
  std::string run_name = "run";
  bool no_log = false;
  std::string load_model_ckpt;
  std::string resume;
  std::string progress = "auto";
  std::string profile_steps;  // "FIRST:LAST" or "FIRST-LAST"; empty: none
  bool cuda_graph = true;
  int64_t bucket_bytes = int64_t{16} << 20;
  bool tensorboard = true;
  int64_t gpu = 0;  // number of ranks that the run is meant for; 0: any
  bool operator==(const RunSection&) const = default;
};

struct Configuration {
  int64_t seed = 42;
  std::string device = "auto";
  std::string precision = "fp32";
  ModelSection model;
  DatasetSection dataset;
  TrainingSection training;
  RunSection run;
  bool operator==(const Configuration&) const = default;
};

// A flag as the user wrote it: {"--epochs", "3"}; a switch has no value: {"--no_log", absent}.
struct FlagValue {
  std::string flag;
  std::optional<std::string> value;
};

struct ConfigurationSources {
  std::string file;                                // empty: none
  std::map<std::string, std::string> environment;  // the variables PY4CAST_*
  std::vector<FlagValue> flags;
};

// Defaults < file < environment < flags; among the flags --dataset_conf, --model_conf and
// --dev_mode come first, so that the others win over them. The resolved configuration is checked as
// far as it can be without data. Error(configuration): names the file, variable or flag, the key
// and the nearest known one.
Configuration resolve(const ConfigurationSources& sources);

// The variables PY4CAST_* of this process.
std::map<std::string, std::string> configuration_environment();

// All keys with their values. resolve() of the written JSON gives the same configuration.
Json to_json(const Configuration& configuration);

// JSON with comments (// and /* */) allowed. Error(configuration): file, line and column.
Json read_json_file(const std::string& file);

// --gpu N is the number of ranks of the command line's author. Error(configuration) if it differs.
void check_ranks(const Configuration& configuration, int64_t ranks);

// The known name that equals `name` up to case and punctuation: "HalfUNet", "half_unet" and
// "halfunet" are one. Error(configuration): unknown, with the nearest; `what` is "model", ...
std::string find_name(const std::string& what, const std::string& name,
                      const std::vector<std::string>& known);

}  // namespace py4cast
