#include "train/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/safetensors.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using TensorMap = std::map<std::string, Tensor>;

constexpr int64_t format_version = 1;

Json to_json(const CheckpointState& state) {
  return {{"format_version", format_version},
          {"epoch", state.epoch},
          {"batch", state.batch},
          {"step", state.step},
          {"schedule_step", state.schedule_step},
          {"seed", state.seed},
          {"best", state.best ? Json(*state.best) : Json()},
          {"configuration_hash", state.configuration_hash},
          {"metrics_bytes", state.metrics_bytes},
          {"extra", state.extra}};
}

CheckpointState state_of(const Json& json) {
  CheckpointState state;
  state.epoch = json.at("epoch").get<int64_t>();
  state.batch = json.at("batch").get<int64_t>();
  state.step = json.at("step").get<int64_t>();
  state.schedule_step = json.at("schedule_step").get<int64_t>();
  state.seed = json.at("seed").get<int64_t>();
  if (!json.at("best").is_null()) state.best = json.at("best").get<double>();
  state.configuration_hash = json.at("configuration_hash").get<std::string>();
  state.metrics_bytes = json.at("metrics_bytes").get<int64_t>();
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
  recover_folder(folder);
  if (!is_folder(folder))
    throw Error(ErrorKind::input_output, folder, ": there is no checkpoint here");
  const std::string file = folder + "/" + name;
  if (!is_there(file)) throw Error(ErrorKind::data, folder, ": this checkpoint has no file ", name);
  return file;
}

bool is_checkpoint(const fs::path& folder) {
  return is_folder(folder) && is_there(folder / "state.json");
}

std::vector<std::string> checkpoints_of(const fs::path& run) {
  std::vector<std::string> names;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", code))
    if (is_checkpoint(entry.path())) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

void save_checkpoint(const std::string& folder, const ParameterSlab& parameters,
                     const OptimizerSlabs& optimizer, const CheckpointState& state) {
  const std::string fresh = folder + ".new";
  std::error_code code;
  fs::remove_all(fresh, code);  // of a killed process
  make_folders(fresh);
  try {
    std::vector<std::pair<std::string, Tensor>> moments;
    for (const auto& [slab_name, slab] : optimizer)
      for (auto& [name, tensor] : parameters.state(slab))
        moments.emplace_back(slab_name + "." + name, std::move(tensor));
    write_safetensors(fresh + "/model.safetensors", parameters.state());
    write_safetensors(fresh + "/optimizer.safetensors", moments);
    write_file(fresh + "/state.json", to_json(state).dump(2) + "\n");
    recover_folder(folder);
    replace_folder(fresh, folder);
  } catch (...) {
    fs::remove_all(fresh, code);
    throw;
  }
}

CheckpointState load_checkpoint_state(const std::string& folder) {
  const std::string file = file_of(folder, "state.json");
  const Json json = Json::parse(read_file(file), nullptr, false);
  if (!json.is_object() || !json.contains("format_version"))
    throw Error(ErrorKind::data, file, ": is truncated or not the state of a checkpoint");
  if (json["format_version"] != format_version)
    throw Error(ErrorKind::data, file, ": has format_version ", json["format_version"].dump(),
                ", but this program reads ", format_version);
  try {
    return state_of(json);
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::data, file, ": is not the state of a checkpoint: ", error.what());
  }
}

CheckpointState load_checkpoint(const std::string& folder, ParameterSlab& parameters,
                                const OptimizerSlabs& optimizer) {
  CheckpointState state = load_checkpoint_state(folder);
  const std::string model = file_of(folder, "model.safetensors"),
                    moments = file_of(folder, "optimizer.safetensors");
  parameters.load(read_safetensors(model).tensors, model);
  std::map<std::string, TensorMap> slabs;
  for (auto& [name, tensor] : read_safetensors(moments).tensors) {
    const size_t dot = std::min(name.find('.'), name.size());
    slabs[name.substr(0, dot)].emplace(name.substr(std::min(dot + 1, name.size())), tensor);
  }
  for (const auto& [name, slab] : optimizer) {
    if (!slabs.count(name))
      throw Error(ErrorKind::data, moments, ": has no '", name, "': it is of another optimiser");
    parameters.load(slab, slabs[name], moments + " (" + name + ")");
  }
  if (slabs.size() != optimizer.size())
    throw Error(ErrorKind::data, moments, ": has ", slabs.size(), " slabs but the optimiser needs ",
                optimizer.size());
  return state;
}

void load_weights(const std::string& path, ParameterSlab& parameters) {
  const std::string file =
      is_folder(path) || !is_there(path)
          ? file_of(find_checkpoint(path, {"best", "last"}), "model.safetensors")
          : path;
  parameters.load(read_safetensors(file).tensors, file);
}

std::string find_checkpoint(const std::string& path, const std::vector<std::string>& names) {
  if (!is_there(path) && !is_there(path + ".old"))
    throw Error(ErrorKind::input_output, path, ": there is no such run folder or checkpoint");
  recover_folder(path);
  if (is_checkpoint(path)) return path;
  for (const std::string& name : names) {
    const fs::path folder = fs::path(path) / "checkpoints" / name;
    recover_folder(folder);
    if (is_checkpoint(folder)) return folder;
  }
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
