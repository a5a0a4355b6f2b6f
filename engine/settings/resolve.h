// Values from defaults < file < environment < flags.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/settings/layout.h"

namespace py4cast {

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

// The variables PY4CAST_* of this process.
std::map<std::string, std::string> configuration_environment();

// All keys with their values, nested: defaults < file < environment < flags; among the flags groups
// come first, so that the others win over them. Where a later source chooses another alternative
// than the file (another network), what the file says of its own is passed over. Names of
// alternatives get their own spelling. Any
// section may also be given as a whole, as JSON: --model.settings '{"num_filters": 32}'.
// resolve() of the result gives the same.
// Error(configuration): names the file, variable or flag, the key and the nearest known one.
Json resolve(const Layout& layout, const ConfigurationSources& sources);

// A flag of the command line.
struct FlagTarget {
  const Setting* key = nullptr;  // one of these is set
  const FlagGroup* group = nullptr;
  std::string section;
  std::string inside;       // what follows the key's path: "t2m.role"
  bool negated = false;     // --no-FLAG
  bool takes_value = true;  // false for the switches
};

// `flag` without dashes. Absent if there is no such flag.
std::optional<FlagTarget> find_flag(const Keys& keys, const std::string& flag);

}  // namespace py4cast
