#include "train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/safetensors.h"
#include "engine/settings/json.h"
#include "engine/tensor_map.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

constexpr int64_t format_version = 2;

Json json_of(const CheckpointState& state) {
  return {{"format_version", format_version},
          {"epoch", state.epoch},
          {"batch", state.batch},
          {"step", state.step},
          {"epoch_loss", state.epoch_loss},
          {"seed", state.seed},
          {"best", state.best ? Json(*state.best) : Json()},
          {"without_best", state.without_best},
          {"configuration_hash", state.configuration_hash},
          {"metrics_bytes", state.metrics_bytes},
          {"extra", state.extra}};
}

int64_t count_of(const Json& value, const std::string& name, const std::string& file) {
  // JSON's library would cut 1.5 and wrap 2^63.
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<int64_t>() < 0))
    throw Error(ErrorKind::data, file, ": '", name, "' is ", value.dump(), ", not an integer");
  if (value.get<int64_t>() < 0)
    throw Error(ErrorKind::data, file, ": '", name, "' is ", value.dump(), ", less than 0");
  return value.get<int64_t>();
}

CheckpointState state_of(const Json& json, const std::string& file) {
  const auto count = [&](const char* name) { return count_of(json.at(name), name, file); };
  CheckpointState state;
  state.epoch = count("epoch");
  state.batch = count("batch");
  state.step = count("step");
  state.epoch_loss = json.value("epoch_loss", 0.0);  // older ones stand between two epochs
  state.seed = count("seed");
  if (!json.at("best").is_null()) state.best = json.at("best").get<double>();
  state.without_best = json.value("without_best", int64_t{0});  // older ones do not count them
  state.configuration_hash = json.at("configuration_hash").get<std::string>();
  state.metrics_bytes = count("metrics_bytes");
  state.extra = json.at("extra");
  return state;
}

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

bool is_folder(const fs::path& path) {
  std::error_code code;
  return fs::is_directory(path, code);
}

// A file of a checkpoint; says what is missing rather than what the system said.
std::string file_of(const std::string& folder, const char* name) {
  const std::string there = folder_or_old(folder);
  if (!is_folder(there))
    throw Error(ErrorKind::input_output, folder, ": there is no checkpoint here");
  const std::string file = there + "/" + name;
  std::error_code code;
  if (!fs::is_regular_file(file, code))
    throw Error(ErrorKind::data, folder, ": this checkpoint has no file ", name);
  return file;
}

bool is_checkpoint(const fs::path& folder) {
  return is_there(fs::path(folder_or_old(folder)) / "state.json");
}

std::vector<std::string> checkpoints_of(const fs::path& run) {
  std::vector<std::string> names;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", code))
    if (is_checkpoint(entry.path()) && entry.path().extension() != ".new")
      names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

// What stands before the names of a learner's tensors.
std::string prefix_of(const Optimizer& learner, Learners learners) {
  return learners.size() > 1 ? learner.name() + "." : "";
}

// The tensors whose names begin with the prefix, by the rest of their names.
TensorMap below(const TensorMap& tensors, const std::string& prefix) {
  TensorMap result;
  for (auto entry = tensors.lower_bound(prefix);
       entry != tensors.end() && entry->first.starts_with(prefix); ++entry)
    result.emplace(entry->first.substr(prefix.size()), entry->second);
  return result;
}

Json read_state(const std::string& file) {
  const Json json = parse_json(read_file(file), file, ErrorKind::data);
  if (!json.is_object() || !json.contains("format_version"))
    throw Error(ErrorKind::data, file, ": is truncated or not the state of a checkpoint");
  if (json["format_version"] != format_version)
    throw Error(ErrorKind::data, file, ": has format_version ", json["format_version"].dump(),
                ", but this program reads ", format_version);
  return json;
}

// f(), whose errors of JSON become a sentence.
template <typename F>
auto of_state(const std::string& file, F&& f) {
  try {
    return f();
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::data, file, ": is not the state of a checkpoint: ", error.what());
  }
}

// Error(data): the file of a checkpoint has changed since the training wrote it.
void check_content(const fs::path& file) {
  const std::string state = file.parent_path() / "state.json";
  if (!is_there(state)) return;
  const Json checksums = read_state(state).value("checksums", Json::object());
  const Json known = checksums.value(file.filename().string(), Json());  // older ones have none
  if (!known.is_null() && known != file_checksum(file))
    throw Error(
        ErrorKind::data, file.string(),
        ": is damaged, or was changed after the training had written it: its checksum is not "
        "that in ",
        state);
}

// What a file of networks holds. Forecasts from weights that are not finite would be no numbers.
Safetensors read_networks(const std::string& file) {
  Safetensors content = read_safetensors(file);
  for (const auto& [name, tensor] : content.tensors) {
    if (tensor.type() == DataType::i32 || tensor.type() == DataType::i64) continue;
    const Tensor wide = converted(tensor, DataType::f64);
    const auto values = wide.span<double>();
    if (!std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); }))
      throw Error(ErrorKind::data, file, ": '", name, "' has a value that is not finite");
    if (name.ends_with("running_var") &&
        std::ranges::any_of(values, [](double x) { return x < 0; }))
      throw Error(ErrorKind::data, file, ": '", name, "' has a variance below 0");
  }
  check_content(file);
  return content;
}

constexpr const char* record_name = "trained_with";

// What stands beside the weights of a file; null: nothing.
Json record_of(const Safetensors& content, const std::string& file) {
  const auto record = content.metadata.find(record_name);
  return record == content.metadata.end() ? Json()
                                          : parse_json(record->second, file, ErrorKind::data);
}

// The file of the networks that `path` means.
std::string weights_file(const std::string& path) {
  return is_folder(path) || !is_there(path)
             ? file_of(find_checkpoint(path, {"best", "last"}), "model.safetensors")
             : path;
}

}  // namespace

void save_checkpoint(const std::string& folder, Learners learners, const CheckpointState& state) {
  const std::string fresh = folder + ".new";
  std::error_code code;
  fs::remove_all(fresh, code);  // of a killed process
  // Not the folders above it: a run folder that was removed does not come back.
  fs::create_directory(fresh, code);
  if (code)
    throw Error(ErrorKind::input_output, fresh, ": the folder cannot be made: ", code.message());
  try {
    std::vector<std::pair<std::string, Tensor>> networks, optimizers;
    Json json = json_of(state);
    for (const Optimizer* learner : learners) {
      const std::string prefix = prefix_of(*learner, learners);
      const ParameterSlab& slab = learner->slab();
      for (auto& [name, tensor] : slab.state()) networks.emplace_back(prefix + name, tensor);
      for (const auto& [slab_name, values] : learner->state())
        for (auto& [name, tensor] : slab.state(values))
          optimizers.emplace_back(prefix + slab_name + "." + name, tensor);
      json["optimizer_steps"][learner->name()] = learner->steps_done();
    }
    write_safetensors(fresh + "/model.safetensors", networks, {{record_name, state.extra.dump()}});
    write_safetensors(fresh + "/optimizer.safetensors", optimizers);
    for (const char* name : {"model.safetensors", "optimizer.safetensors"})
      json["checksums"][name] = file_checksum(fresh + "/" + name);
    write_file(fresh + "/state.json", json.dump(2) + "\n");
    replace_folder(fresh, folder);
  } catch (...) {
    fs::remove_all(fresh, code);
    throw;
  }
}

CheckpointState load_checkpoint_state(const std::string& folder) {
  const std::string file = file_of(folder, "state.json");
  return of_state(file, [&] { return state_of(read_state(file), file); });
}

CheckpointState load_checkpoint(const std::string& folder, Learners learners) {
  const std::string state_file = file_of(folder, "state.json"),
                    model = file_of(folder, "model.safetensors"),
                    optimizer = file_of(folder, "optimizer.safetensors");
  const Json json = read_state(state_file);
  const CheckpointState state = of_state(state_file, [&] { return state_of(json, state_file); });
  const TensorMap networks = read_networks(model).tensors;
  for (const Optimizer* learner : learners)
    learner->slab().load(below(networks, prefix_of(*learner, learners)), model);
  const TensorMap tensors = read_safetensors(optimizer).tensors;
  check_content(optimizer);
  size_t known = 0;
  for (Optimizer* learner : learners) {
    const std::string prefix = prefix_of(*learner, learners);
    for (const auto& [name, slab] : learner->state()) {
      const TensorMap own = below(tensors, prefix + name + ".");
      if (own.empty())
        throw Error(ErrorKind::data, optimizer, ": has no '", prefix, name,
                    "': it is of another optimiser");
      learner->slab().load(slab, own, optimizer + " (" + prefix + name + ")");
      known += own.size();
    }
    learner->set_steps_done(of_state(state_file, [&] {
      return count_of(json.at("optimizer_steps").at(learner->name()), "optimizer_steps",
                      state_file);
    }));
  }
  if (known != tensors.size())
    throw Error(ErrorKind::data, optimizer, ": has ", tensors.size(),
                " tensors but the optimiser needs ", known, ": it is of another optimiser");
  return state;
}

Weights read_weights(const std::string& path) {
  const std::string file = weights_file(path);
  Safetensors content = read_networks(file);
  Json record = record_of(content, file);
  return {file, std::move(content.tensors), std::move(record)};
}

Json load_weights(const std::string& path, Learners learners) {
  const Weights weights = read_weights(path);
  for (const Optimizer* learner : learners) {
    ParameterSlab& slab = learner->slab();
    slab.load(slab.below_a_module(below(weights.tensors, prefix_of(*learner, learners))),
              weights.file);
  }
  return weights.trained_with;
}

Json load_weights(const std::string& path, ParameterSlab& parameters) {
  Weights weights = read_weights(path);
  parameters.load(parameters.below_a_module(weights.tensors), weights.file);
  return std::move(weights.trained_with);
}

std::string checkpoint_at(const std::string& path, const std::vector<std::string>& names) {
  if (is_checkpoint(path)) return path;
  for (const std::string& name : names) {
    const fs::path folder = fs::path(path) / "checkpoints" / name;
    if (is_checkpoint(folder)) return folder;
  }
  return {};
}

std::string find_checkpoint(const std::string& path, const std::vector<std::string>& names) {
  if (const std::string folder = checkpoint_at(path, names); !folder.empty()) return folder;
  if (!is_there(path))
    throw Error(ErrorKind::input_output, path, ": there is no such run folder or checkpoint");
  std::string wanted, found;
  for (const std::string& name : names) wanted += (wanted.empty() ? "'" : "' or '") + name;
  for (const std::string& name : checkpoints_of(path)) found += (found.empty() ? "" : ", ") + name;
  throw Error(ErrorKind::input_output, path, ": has no checkpoint ", wanted, "' (",
              found.empty() ? "it has none" : "it has " + found, ")");
}

std::string find_run(const std::string& path) {
  fs::path folder = fs::absolute(path).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  if (folder.parent_path().filename() == "checkpoints") folder = folder.parent_path().parent_path();
  if (is_there(folder / "config.json")) return folder;
  throw Error(ErrorKind::input_output, path,
              ": is neither a run folder nor a checkpoint in one (no config.json)");
}

}  // namespace py4cast
