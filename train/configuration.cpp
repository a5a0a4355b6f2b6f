#include "train/configuration.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

#include "data/weather/calendar.h"
#include "engine/error.h"
#include "train/configuration_keys.h"
#include "train/forecast/steps.h"

extern char** environ;

namespace py4cast {
namespace {

const std::string command_line = "command line";

// Every key and every section above one.
std::vector<std::string> known_paths() {
  std::vector<std::string> paths;
  for (const auto& key : configuration_keys()) {
    for (size_t dot = key.path.find('.'); dot != std::string::npos;
         dot = key.path.find('.', dot + 1)) {
      const std::string section = key.path.substr(0, dot);
      if (std::find(paths.begin(), paths.end(), section) == paths.end()) paths.push_back(section);
    }
    paths.push_back(key.path);
  }
  return paths;
}

const BoundKey<Configuration>* find_key(const std::string& path) {
  for (const auto& key : configuration_keys())
    if (key.path == path) return &key;
  return nullptr;
}

void apply(Configuration& configuration, const BoundKey<Configuration>& key, const Json& value,
           const std::string& where, const std::string& name) {
  key.set(configuration, checked_value(key, value, where, name));
}

// Applies an object of a file whose keys stand below `prefix` ("" or "dataset.").
void apply_section(Configuration& configuration, const Json& section, const std::string& prefix,
                   const std::string& file) {
  for (const auto& [name, value] : section.items()) {
    const std::string path = prefix + name;
    if (path == "$schema") continue;
    if (const auto* key = find_key(path)) {
      apply(configuration, *key, value, file, path);
      continue;
    }
    const std::vector<std::string> paths = known_paths();
    if (std::find(paths.begin(), paths.end(), path) == paths.end())
      refuse_unknown(file, "key", path, paths);
    if (!value.is_object())
      throw Error(ErrorKind::configuration, file, ": '", path, "' must be an object ({...}), not ",
                  value.dump());
    apply_section(configuration, value, path + ".", file);
  }
}

void apply_environment(Configuration& configuration,
                       const std::map<std::string, std::string>& environment) {
  std::vector<std::string> known;
  for (const auto& key : configuration_keys()) known.push_back(environment_name(key));
  for (const auto& [name, text] : environment) {
    const auto at = std::find(known.begin(), known.end(), name);
    if (at != known.end()) {
      const auto& key = configuration_keys()[static_cast<size_t>(at - known.begin())];
      apply(configuration, key, value_from_text(key.type, text), "environment", name);
      continue;
    }
    // Other variables PY4CAST_* are not ours, but one that starts like a section is a slip.
    for (const char* section : {"MODEL", "DATASET", "TRAINING", "RUN"})
      if (name.starts_with(std::string("PY4CAST_") + section + "_"))
        throw Error(ErrorKind::configuration, "environment: unknown variable '", name,
                    "'; did you mean '", nearest_name(name, known), "'?");
  }
}

// Sets `inside` ("num_filters" or "t2m.role") of an object.
void set_inside(Json& object, const std::string& inside, const Json& value) {
  const size_t dot = inside.find('.');
  Json& part = object[inside.substr(0, dot)];
  if (dot == std::string::npos) {
    part = value;
  } else {
    if (!part.is_object()) part = Json::object();
    set_inside(part, inside.substr(dot + 1), value);
  }
}

// A part of dataset.variables has a type of its own; one of model.settings is JSON or else text.
Json inside_value(const BoundKey<Configuration>& key, const std::string& inside,
                  const std::string& text) {
  if (key.type == KeyType::variables)
    for (const auto& part : variable_keys())
      if (inside.ends_with("." + part.path)) return value_from_text(part.type, text);
  return value_from_text(KeyType::object, text);
}

void apply_special(Configuration& configuration, const FlagValue& flag, const std::string& name) {
  if (name == "dev_mode") {
    configuration.training.epochs = 3;
    configuration.training.limit_train_batches = 3;
    return;
  }
  const Json content = read_json_file(*flag.value);
  if (!content.is_object())
    throw Error(ErrorKind::configuration, *flag.value, ": must be an object ({...})");
  if (name == "model_conf") {
    configuration.model.settings = content;
  } else {
    const std::string dataset = configuration.dataset.name;
    configuration.dataset = {};
    configuration.dataset.name = dataset;
    apply_section(configuration, content, "dataset.", *flag.value);
  }
}

void apply_flag(Configuration& configuration, const FlagValue& flag, const FlagTarget& target) {
  const auto& key = *target.key;
  if (key.type == KeyType::boolean) {
    Json value = flag.value ? value_from_text(KeyType::boolean, *flag.value) : Json(true);
    if (target.negated && value.is_boolean()) value = !value.get<bool>();
    apply(configuration, key, value, command_line, flag.flag);
  } else if (target.inside.empty()) {
    apply(configuration, key, value_from_text(key.type, *flag.value), command_line, flag.flag);
  } else {
    Json object = key.get(configuration);
    set_inside(object, target.inside, inside_value(key, target.inside, *flag.value));
    apply(configuration, key, object, command_line, "--" + key.path);
  }
}

void apply_flags(Configuration& configuration, const std::vector<FlagValue>& flags) {
  for (const bool special : {true, false})
    for (const FlagValue& flag : flags) {
      const std::string name = flag.flag.substr(std::min<size_t>(2, flag.flag.size()));
      const auto target = find_flag(name);
      if (!target) refuse_unknown(command_line, "flag", name, flag_names());
      if (target->takes_value && !flag.value)
        throw Error(ErrorKind::configuration, command_line, ": '", flag.flag, "' needs a value");
      if (special && !target->key) apply_special(configuration, flag, name);
      if (!special && target->key) apply_flag(configuration, flag, *target);
    }
}

bool is_time(const std::string& text) {
  // The calendar is that of the data; 30 February is a day in one of them.
  for (const Calendar calendar : {Calendar::standard, Calendar::day_360, Calendar::all_leap}) {
    try {
      parse_time(calendar, text);
      return true;
    } catch (const Error&) {
    }
  }
  return false;
}

void check_period(const Period& period, const std::string& path) {
  for (const auto& [name, text] : {std::pair(".start", period.start), {".end", period.end}})
    if (!text.empty() && !is_time(text))
      throw Error(ErrorKind::configuration, path, name, ": '", text,
                  "' is not a time; write it as 2019-03-27 or 2019-03-27T06:00");
}

}  // namespace

Configuration resolve(const ConfigurationSources& sources) {
  Configuration configuration;
  if (!sources.file.empty()) {
    const Json content = read_json_file(sources.file);
    if (!content.is_object())
      throw Error(ErrorKind::configuration, sources.file, ": must be an object ({...})");
    apply_section(configuration, content, "", sources.file);
  }
  apply_environment(configuration, sources.environment);
  apply_flags(configuration, sources.flags);
  make_steps(configuration.training);
  check_period(configuration.dataset.periods.train, "dataset.periods.train");
  check_period(configuration.dataset.periods.valid, "dataset.periods.valid");
  check_period(configuration.dataset.periods.test, "dataset.periods.test");
  return configuration;
}

std::map<std::string, std::string> configuration_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    if (text.starts_with("PY4CAST_"))
      variables[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
  }
  return variables;
}

Json to_json(const Configuration& configuration) {
  Json json = Json::object();
  for (const auto& key : configuration_keys()) {
    Json* place = &json;
    size_t begin = 0;
    for (size_t dot; (dot = key.path.find('.', begin)) != std::string::npos; begin = dot + 1)
      place = &(*place)[key.path.substr(begin, dot - begin)];
    (*place)[key.path.substr(begin)] = key.get(configuration);
  }
  return json;
}

Json read_json_file(const std::string& file) {
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw Error(ErrorKind::configuration, file, ": no such file, or it cannot be read");
  try {
    return Json::parse(text, nullptr, /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const Json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 3, column 5: ..."
    const std::string message = error.what();
    const size_t at = message.find("at line");
    throw Error(ErrorKind::configuration, file, ": not valid JSON ",
                at == std::string::npos ? message : message.substr(at));
  }
}

void check_ranks(const Configuration& configuration, int64_t ranks) {
  const int64_t expected = configuration.run.gpu;
  if (expected == 0 || expected == ranks) return;
  throw Error(ErrorKind::configuration, "run.gpu (--gpu) asks for ", expected,
              expected == 1 ? " rank" : " ranks", " but the program runs on ", ranks,
              "; start it with 'mpirun -np ", expected, " ...'");
}

std::string find_name(const std::string& what, const std::string& name,
                      const std::vector<std::string>& known) {
  auto plain = [](const std::string& text) {
    std::string letters;
    for (unsigned char letter : text)
      if (std::isalnum(letter)) letters += static_cast<char>(std::tolower(letter));
    return letters;
  };
  for (const std::string& candidate : known)
    if (plain(candidate) == plain(name)) return candidate;
  throw Error(ErrorKind::configuration, "unknown ", what, " '", name, "'; did you mean '",
              nearest_name(plain(name), known), "'?");
}

}  // namespace py4cast
