#include "train/configuration_keys.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>

#include "engine/error.h"

namespace py4cast {
namespace {

template <typename T>
constexpr KeyType type_of() {
  if constexpr (std::is_same_v<T, bool>) return KeyType::boolean;
  if constexpr (std::is_same_v<T, int64_t>) return KeyType::integer;
  if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::optional<double>>)
    return KeyType::number;
  if constexpr (std::is_same_v<T, std::string>) return KeyType::text;
  if constexpr (std::is_same_v<T, std::vector<int64_t>>) return KeyType::integers;
  if constexpr (std::is_same_v<T, std::vector<double>>) return KeyType::numbers;
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return KeyType::texts;
  if constexpr (std::is_same_v<T, Json>) return KeyType::object;
  if constexpr (std::is_same_v<T, std::vector<VariableSection>>) return KeyType::variables;
}

Json to_value(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json to_value(const std::vector<VariableSection>& variables) {
  Json json = Json::object();
  for (const VariableSection& variable : variables) {
    Json& entry = json[variable.name] = Json::object();
    for (const auto& key : variable_keys()) {
      Json value = key.get(variable);
      if (value != key.default_value || key.path == "role") entry[key.path] = std::move(value);
    }
  }
  return json;
}

template <typename T>
Json to_value(const T& value) {
  return Json(value);
}

void from_value(std::optional<double>& place, const Json& value) {
  place = value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

void from_value(std::vector<VariableSection>& variables, const Json& value) {
  variables.clear();
  for (const auto& [name, entry] : value.items()) {
    VariableSection& variable = variables.emplace_back();
    variable.name = name;
    for (const auto& key : variable_keys())
      if (entry.contains(key.path)) key.set(variable, entry[key.path]);
  }
}

template <typename T>
void from_value(T& place, const Json& value) {
  place = value.get<T>();
}

// Binds a key to the member that `member` picks; type and default come from the struct.
template <typename Owner, typename Member>
BoundKey<Owner> bind(Member member, Key key) {
  Owner defaults;
  using T = std::remove_cvref_t<decltype(member(defaults))>;
  key.type = type_of<T>();
  key.optional = std::is_same_v<T, std::optional<double>>;
  key.default_value = to_value(member(defaults));
  return {std::move(key),
          [member](Owner& owner, const Json& value) { from_value(member(owner), value); },
          [member](const Owner& owner) { return to_value(member(const_cast<Owner&>(owner))); }};
}

#define PY4CAST_KEY(member, ...)      \
  keys.push_back(bind<Configuration>( \
      [](Configuration & c) -> auto& { return c.member; }, Key{.path = #member, __VA_ARGS__}))

using Keys = std::vector<BoundKey<Configuration>>;

void add_general_keys(Keys& keys) {
  PY4CAST_KEY(seed,
              .description =
                  "Seed of all random numbers; two runs with the same seed are "
                  "equal.",
              .minimum = 0);
  PY4CAST_KEY(device,
              .description =
                  "Where the network runs; auto takes a GPU if there is one, cuda:1 the second of "
                  "those that are visible.",
              .choices = {"auto", "cpu", "cuda"}, .numbered = "cuda",
              .spellings = {{"gpu", "cuda"}});
  PY4CAST_KEY(
      precision,
      .description =
          "Arithmetic of the network: fp32 (alias 32), tf32 (GPU, products "
          "only), bf16 (activations) or fp64 (alias 64; to check others).",
      .choices = {"fp32", "tf32", "bf16", "fp64"},
      .spellings = {{"32", "fp32"}, {"32-true", "fp32"}, {"64", "fp64"}, {"64-true", "fp64"}});
}

void add_model_keys(Keys& keys) {
  PY4CAST_KEY(model.name, .description = "The network; letter case and punctuation do not matter.",
              .flags = {"model"});
  PY4CAST_KEY(model.settings,
              .description =
                  "The network's own settings; what is left out keeps "
                  "the network's default.",
              .example = {{"num_filters", 64}});
  PY4CAST_KEY(model.autopad, .description =
                                 "Pad the grid to the size that the network needs, and "
                                 "cut its output back.");
}

void add_period_keys(Keys& keys) {
#define PY4CAST_PERIOD(name, title, first, last, every)                                           \
  PY4CAST_KEY(dataset.periods.name.start,                                                         \
              .description = "First time of the " title " period, ISO 8601; empty: of the data.", \
              .example = (first));                                                                \
  PY4CAST_KEY(dataset.periods.name.end,                                                           \
              .description = "Last time of the " title                                            \
                             " period, inclusive; a date means the "                              \
                             "whole day; empty: of the data.",                                    \
              .example = (last));                                                                 \
  PY4CAST_KEY(dataset.periods.name.step,                                                          \
              .description =                                                                      \
                  "Hours between the first steps of two samples; 0: every step of "               \
                  "the data.",                                                                    \
              .minimum = 0, .example = (every))
  PY4CAST_PERIOD(train, "training", "2019-03-01", "2019-03-21", nullptr);
  PY4CAST_PERIOD(valid, "validation", "2019-03-22", "2019-03-25", nullptr);
  PY4CAST_PERIOD(test, "test", "2019-03-26", "2019-03-31", 3);
#undef PY4CAST_PERIOD
}

void add_dataset_keys(Keys& keys) {
  PY4CAST_KEY(dataset.name,
              .description =
                  "The kind of data set: netcdf for CF netCDF files, "
                  "dummy for random numbers.",
              .flags = {"dataset"}, .example = "netcdf");
  PY4CAST_KEY(dataset.files,
              .description =
                  "Names or shell patterns; together they are one data "
                  "set.",
              .example = {"data/era5_2018-*.nc", "data/era5_2019.nc"});
  PY4CAST_KEY(dataset.variables,
              .description =
                  "The variables by their names in the files, in the order of the "
                  "network's features.",
              .example = {{"t2m", {{"role", "state"}, {"weight", 2.0}, {"short_name", "t2m"}}},
                          {"t", {{"role", "state"}, {"levels", {500, 850}}}},
                          {"ssrd", {{"role", "forcing"}}},
                          {"z", {{"role", "static"}}}});
  add_period_keys(keys);
  PY4CAST_KEY(dataset.subgrid,
              .description =
                  "First row, end row, first column, end column of the "
                  "part of the grid to use; []: the whole grid.",
              .minimum = 0, .lengths = {0, 4});
  PY4CAST_KEY(dataset.border,
              .description =
                  "Width in points of the frame that is given and not "
                  "forecast.",
              .minimum = 0);
  PY4CAST_KEY(dataset.step_hours,
              .description = "Time step of the data in hours; 0: as in the files.", .minimum = 0);
  PY4CAST_KEY(dataset.members, .description = "Members of an ensemble to use, from 0; []: all.",
              .minimum = 0);
  PY4CAST_KEY(dataset.time_forcings,
              .description =
                  "Forcings made from the time: sine and cosine of the hour and of the "
                  "day of the year, scaled top-of-atmosphere radiation.",
              .choices = {"hour", "year", "toa_radiation"});
  PY4CAST_KEY(dataset.statics,
              .description =
                  "Constant fields given to the network; those that the data lack are "
                  "left out.",
              .choices = {"x", "y", "geopotential", "border_mask", "land_sea_mask"});
  PY4CAST_KEY(dataset.gaps,
              .description =
                  "What a gap in time does: skip the samples over it, or "
                  "stop.",
              .choices = {"skip", "error"});
  PY4CAST_KEY(dataset.missing,
              .description =
                  "What a missing value does: stop, or mask it out of "
                  "the loss and the scores.",
              .choices = {"error", "mask"});
  PY4CAST_KEY(dataset.standardize,
              .description =
                  "Give fields to the network with mean 0 and "
                  "deviation 1.",
              .flags = {"standardize"});
}

void add_training_keys(Keys& keys) {
  PY4CAST_KEY(training.strategy,
              .description =
                  "How a step is made of the network's output: diff_ar adds it, "
                  "scaled_ar adds it in units of the mean change and forces the border.",
              .flags = {"strategy"}, .choices = {"diff_ar", "scaled_ar"});
  PY4CAST_KEY(training.loss,
              .description =
                  "Mean square or mean absolute error, weighted by "
                  "feature.",
              .flags = {"loss"}, .choices = {"mse", "mae"});
  PY4CAST_KEY(training.epochs, .description = "Passes over the training period.",
              .flags = {"epochs"}, .minimum = 1);
  PY4CAST_KEY(training.batch_size, .description = "Samples of one batch on each rank.",
              .flags = {"batch_size"}, .minimum = 1);
  PY4CAST_KEY(training.num_input_steps, .description = "Past states given to the network.",
              .flags = {"num_input_steps"}, .minimum = 1);
  PY4CAST_KEY(training.num_inter_steps, .description = "Calls of the network per step of the data.",
              .flags = {"num_inter_steps"}, .minimum = 1);
  PY4CAST_KEY(training.num_pred_steps_train,
              .description = "Steps of the data forecast in training.",
              .flags = {"num_pred_steps_train", "step"}, .minimum = 1);
  PY4CAST_KEY(training.num_pred_steps_val_test,
              .description = "Steps of the data forecast in validation and test.",
              .flags = {"num_pred_steps_val_test"}, .minimum = 1);
  PY4CAST_KEY(training.accumulate_batches,
              .description = "Batches whose gradients are averaged for one optimiser step.",
              .flags = {"accumulate_batches"}, .minimum = 1);
  PY4CAST_KEY(training.clip_norm, .description = "Largest norm of the gradient; 0: no clipping.",
              .minimum = 0);
  PY4CAST_KEY(training.optimizer.lr, .description = "Learning rate of AdamW.", .flags = {"lr"},
              .minimum = 0);
  PY4CAST_KEY(training.optimizer.betas, .description = "Decay of AdamW's two running means.",
              .minimum = 0, .lengths = {2});
  PY4CAST_KEY(training.optimizer.weight_decay, .description = "Weight decay of AdamW.",
              .minimum = 0);
  PY4CAST_KEY(training.optimizer.epsilon, .description = "Guard of AdamW's division.",
              .minimum = 0);
  PY4CAST_KEY(training.schedule.name,
              .description =
                  "Learning rate over the optimiser steps: constant, or half a cosine "
                  "down to min_lr; both after a linear warm-up.",
              .choices = {"constant", "cosine"});
  PY4CAST_KEY(training.schedule.warmup_steps,
              .description = "Optimiser steps of the linear warm-up.", .minimum = 0);
  PY4CAST_KEY(training.schedule.min_lr, .description = "Learning rate at the end of the cosine.",
              .minimum = 0);
  PY4CAST_KEY(training.val_interval, .description = "Epochs between two validations.",
              .flags = {"val_interval"}, .minimum = 1);
  PY4CAST_KEY(training.limit_train_batches,
              .description =
                  "Most batches per epoch of training, of validation and of test; 0: "
                  "all.",
              .flags = {"limit_train_batches"}, .minimum = 0);
  PY4CAST_KEY(training.num_workers, .description = "Threads that read and prepare samples.",
              .flags = {"num_workers"}, .minimum = 0);
  PY4CAST_KEY(training.prefetch_factor, .description = "Batches prepared ahead per reading thread.",
              .flags = {"prefetch_factor"}, .minimum = 1);
  PY4CAST_KEY(training.pin_memory,
              .description =
                  "Page-locked host memory for the batches, which a GPU copies while it computes; "
                  "without it each copy waits.",
              .flags = {"pin_memory"});
}

void add_run_keys(Keys& keys) {
  PY4CAST_KEY(run.root, .description = "Folder of all runs and of the cache of statistics.",
              .environment = "PY4CAST_ROOTDIR");
  PY4CAST_KEY(run.campaign_name, .description = "Folder of the run below the root.",
              .flags = {"campaign_name"});
  PY4CAST_KEY(run.run_name,
              .description =
                  "Name of the run; a version number is appended: "
                  "ROOT/CAMPAIGN/DATASET/MODEL/RUN_VERSION.",
              .flags = {"run_name"});
  PY4CAST_KEY(run.no_log, .description = "Write no run folder and skip the final test.",
              .flags = {"no_log"});
  PY4CAST_KEY(run.load_model_ckpt,
              .description = "Start from the weights of this checkpoint or run folder.",
              .flags = {"load_model_ckpt"});
  PY4CAST_KEY(run.resume, .description = "Go on with this run folder or checkpoint, bit for bit.",
              .flags = {"resume", "resume_from_ckpt"});
  PY4CAST_KEY(run.progress, .description = "The progress line on the terminal.",
              .flags = {"progress"}, .choices = {"auto", "on", "off"});
  PY4CAST_KEY(run.profile_steps,
              .description =
                  "Optimiser steps on a GPU that a profiler records, as FIRST:LAST (nsys profile "
                  "--capture-range=cudaProfilerApi); empty: none (--profiler pytorch is 10-19).",
              .flags = {"profiler", "profile_steps"},
              .spellings = {{"None", ""}, {"none", ""}, {"simple", "10-19"}, {"pytorch", "10-19"}});
  PY4CAST_KEY(run.cuda_graph,
              .description =
                  "On a GPU: capture each kind of step as a CUDA graph and replay it; the bits are "
                  "the same.");
  PY4CAST_KEY(
      run.bucket_bytes,
      .description =
          "Between GPUs: gradients are summed in parts of this size while the backward pass "
          "makes the others; the bits are the same.",
      .minimum = 1);
  PY4CAST_KEY(run.tensorboard, .description = "Write TensorBoard event files.");
  PY4CAST_KEY(run.gpu,
              .description =
                  "Number of ranks that the run is meant for; the run is refused with "
                  "another number (mpirun -np N); 0: any.",
              .flags = {"gpu"}, .minimum = 0);
}
#undef PY4CAST_KEY

}  // namespace

const std::vector<BoundKey<Configuration>>& configuration_keys() {
  static const Keys keys = [] {
    Keys table;
    add_general_keys(table);
    add_model_keys(table);
    add_dataset_keys(table);
    add_training_keys(table);
    add_run_keys(table);
    return table;
  }();
  return keys;
}

const std::vector<BoundKey<VariableSection>>& variable_keys() {
  static const std::vector<BoundKey<VariableSection>> keys = {
      bind<VariableSection>(
          [](VariableSection & v) -> auto& { return v.role; },
          {.path = "role",
           .description = "state: forecast; forcing: given at every step; static: "
                          "constant in time.",
           .choices = {"state", "forcing", "static"}}),
      bind<VariableSection>([](VariableSection & v) -> auto& { return v.levels; },
                            {.path = "levels",
                             .description = "Levels to use, in the units of the file; "
                                            "[]: all."}),
      bind<VariableSection>([](VariableSection & v) -> auto& { return v.weight; },
                            {.path = "weight",
                             .description = "Weight in the loss; left out: chosen by the level.",
                             .minimum = 0}),
      bind<VariableSection>([](VariableSection & v) -> auto& { return v.short_name; },
                            {.path = "short_name",
                             .description = "Name in tables and scores; left out: "
                                            "the name in the file."})};
  return keys;
}

const std::vector<SpecialFlag>& special_flags() {
  static const std::vector<SpecialFlag> flags = {
      {"dataset_conf", "FILE", "Take the dataset section from this file."},
      {"model_conf", "FILE", "Take model.settings from this file."},
      {"dev_mode", "", "A short trial: training.epochs 3, training.limit_train_batches 3."}};
  return flags;
}

std::string environment_name(const Key& key) {
  if (!key.environment.empty()) return key.environment;
  std::string name = "PY4CAST_" + key.path;
  for (char& letter : name) letter = letter == '.' ? '_' : static_cast<char>(std::toupper(letter));
  return name;
}

std::optional<FlagTarget> find_flag(const std::string& flag) {
  for (const SpecialFlag& special : special_flags())
    if (flag == special.flag) return FlagTarget{nullptr, "", false, !special.value.empty()};
  for (const auto& key : configuration_keys()) {
    const bool boolean = key.type == KeyType::boolean;
    auto is = [&](const std::string& name) {
      return name == key.path || std::count(key.flags.begin(), key.flags.end(), name) > 0;
    };
    if (is(flag)) return FlagTarget{&key, "", false, !boolean};
    if (boolean && flag.starts_with("no-") && is(flag.substr(3)))
      return FlagTarget{&key, "", true, false};
    const bool open = key.type == KeyType::object || key.type == KeyType::variables;
    if (open && flag.starts_with(key.path + "."))
      return FlagTarget{&key, flag.substr(key.path.size() + 1), false, true};
  }
  return std::nullopt;
}

std::vector<std::string> flag_names() {
  std::vector<std::string> names;
  for (const auto& key : configuration_keys()) {
    names.push_back(key.path);
    names.insert(names.end(), key.flags.begin(), key.flags.end());
  }
  for (const SpecialFlag& special : special_flags()) names.push_back(special.flag);
  return names;
}

}  // namespace py4cast
