#include "data/weather/original_layout.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/settings/key.h"

namespace py4cast {

std::string original_layout_note(const std::string& file) {
  return file +
         " is of the original's layout: its keys were taken as those of 'dataset' (see config.json "
         "of the run, or --dry-run)";
}

void OriginalLayout::fail(const std::string& key, const std::string& what) const {
  throw Error(ErrorKind::configuration, file_, ": '", key, "' ", what);
}

void OriginalLayout::check_keys(const Json& keys, const std::string& path,
                                const std::vector<std::string>& known) const {
  if (!keys.is_object()) fail(path, "must be an object ({...})");
  std::vector<std::string> paths;
  for (const std::string& name : known) paths.push_back(joined_path(path, name));
  for (const auto& [name, value] : keys.items())
    if (std::ranges::find(known, name) == known.end())
      refuse_unknown(file_ + " (of the original's layout)", "key", joined_path(path, name), paths);
}

const Json& OriginalLayout::member(const Json& parent, const std::string& path,
                                   const char* name) const {
  if (!parent.contains(name)) fail(joined_path(path, name), "is missing");
  return parent[name];
}

const Json& OriginalLayout::object(const Json& parent, const std::string& path,
                                   const char* name) const {
  const Json& value = member(parent, path, name);
  if (!value.is_object()) fail(joined_path(path, name), "must be an object ({...})");
  return value;
}

void OriginalLayout::take_periods(const std::vector<std::string>& known, Json& result) const {
  const Json& periods = object(content_, "", "periods");
  check_keys(periods, "periods", {"train", "valid", "test"});
  for (const char* name : splits) {
    const std::string path = std::string("periods.") + name;
    const Json& period = object(periods, "periods", name);
    check_keys(period, path, known);
    for (const char* bound : {"start", "end"}) {
      const Json& time = member(period, path, bound);
      result["periods"][name][bound] = time.is_string() ? time : Json(time.dump());
    }
  }
  // The original's small configurations test on what they validate with.
  if (periods["valid"] == periods["test"]) result["overlap"] = "allow";
}

const char* OriginalLayout::role_of(const Json& variable, const std::string& path) const {
  const std::string kind = variable.value("kind", "input_output");
  if (kind == "input_output") return "state";
  if (kind == "output") return "diagnostic";
  if (kind != "input")
    fail(path + ".kind",
         "must be 'input' (a forcing), 'input_output' (a state) or 'output' (a "
         "diagnostic), not '" +
             kind + "'");
  return "forcing";
}

}  // namespace py4cast
