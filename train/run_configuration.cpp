#include "train/run_configuration.h"

#include <filesystem>

#include "engine/error.h"
#include "engine/settings/resolve.h"
#include "train/checkpoint.h"

namespace py4cast {

Configuration train_configuration(const Registries& registries, const Arguments& arguments) {
  ConfigurationSources sources{.environment = configuration_environment(),
                               .flags = arguments.flags};
  if (!arguments.positional.empty()) sources.file = arguments.positional[0];
  const Keys keys = Keys::all(registries.layout());
  for (const FlagValue& flag : arguments.flags) {
    const auto target = find_flag(keys, flag.flag.substr(2));
    if (!sources.file.empty() || !flag.value || !target || !target->key) continue;
    if (target->key->path == "run.resume" ||
        (target->key->path == "run.resume_or_start" &&
         std::filesystem::exists(*flag.value + "/config.json")))
      sources.file = run_configuration_file(*flag.value);
  }
  return registries.resolve(sources);
}

Configuration run_configuration(const Registries& registries, const std::string& run,
                                const std::vector<FlagValue>& flags, std::vector<FlagValue> first) {
  const Keys keys = Keys::all(registries.layout());
  for (const FlagValue& flag : flags)
    if (const auto target = find_flag(keys, flag.flag.substr(2));
        target && (target->key->path == "run.load_model_ckpt" ||
                   target->key->path == "run.resume" || target->key->path == "run.resume_or_start"))
      throw Error(ErrorKind::configuration, "command line: '", flag.flag,
                  "' is for trainings; here the weights are those of ", run);
  first.insert(first.end(), flags.begin(), flags.end());
  return registries.resolve(
      {run_configuration_file(run), configuration_environment(), std::move(first)});
}

Split parse_split(const std::string& name) {
  for (const Split split : {Split::train, Split::valid, Split::test})
    if (name == name_of(split)) return split;
  throw Error(ErrorKind::configuration,
              "command line: '--split' must be train, valid or test, not '", name, "'");
}

std::string run_configuration_file(const std::string& run) {
  namespace fs = std::filesystem;
  fs::path folder = fs::absolute(run).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  if (!fs::exists(folder))
    throw Error(ErrorKind::input_output, run, ": there is no such file or run folder");
  if (!fs::is_directory(folder))
    throw Error(ErrorKind::configuration, run,
                ": is a file; what is needed is the folder of a run, which a training names at its "
                "end");
  return find_run(run) + "/config.json";
}

}  // namespace py4cast
