// The original's configuration files.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/smeagol/smeagol_dataset.h"
#include "engine/error.h"
#include "engine/settings/key.h"

namespace py4cast {
namespace {

class OriginalLayout {
 public:
  OriginalLayout(const Json& content, const std::string& file) : content_(content), file_(file) {}

  Json translated() {
    check_keys(content_, "", {"periods", "grid", "dataset"});
    const Json& grid = object(content_, "", "grid");
    check_keys(grid, "grid", {"geometry", "border_size", "domain", "model", "subgrid"});
    result_ = {{"name", "smeagol"},
               {"settings", {{"original_file", file_}}},
               {"variables", Json::object()},
               {"windows", "disjoint"},
               {"border", grid.value("border_size", Json(0))},
               {"subgrid", grid.value("subgrid", Json::array({0, 0, 0, 0}))}};
    for (const char* name : {"domain", "model", "geometry"})
      if (grid.contains(name)) result_["settings"][name] = grid[name];
    take_periods();
    const Json& sources = object(content_, "", "dataset");
    for (const auto& [name, source] : sources.items()) take_source(grid, source, "dataset." + name);
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    throw Error(ErrorKind::configuration, file_, ": '", key, "' ", what);
  }

  void check_keys(const Json& keys, const std::string& path,
                  const std::vector<std::string>& known) const {
    if (!keys.is_object()) fail(path, "must be an object ({...})");
    std::vector<std::string> paths;
    for (const std::string& name : known) paths.push_back(joined_path(path, name));
    for (const auto& [name, value] : keys.items())
      if (std::ranges::find(known, name) == known.end())
        refuse_unknown(file_ + " (of the original's layout)", "key", joined_path(path, name),
                       paths);
  }

  const Json& object(const Json& parent, const std::string& path, const char* name) const {
    if (!parent.contains(name)) fail(joined_path(path, name), "is missing");
    const Json& value = parent[name];
    if (!value.is_object()) fail(joined_path(path, name), "must be an object ({...})");
    return value;
  }

  // 2022080600 is kept as a text, which is a time, too.
  void take_periods() {
    const Json& periods = object(content_, "", "periods");
    check_keys(periods, "periods", {"train", "valid", "test"});
    for (const char* name : {"train", "valid", "test"}) {
      const std::string path = std::string("periods.") + name;
      const Json& period = object(periods, "periods", name);
      check_keys(period, path, {"start", "end", "step"});
      Json& ours = result_["periods"][name];
      for (const char* bound : {"start", "end"}) {
        if (!period.contains(bound)) fail(path + "." + bound, "is missing");
        const Json& time = period[bound];
        ours[bound] = time.is_string() ? time : Json(time.dump());
      }
      if (period.contains("step")) ours["run_step"] = period["step"];
    }
    // The original's small configuration tests on what it validates with.
    if (periods["valid"] == periods["test"]) result_["overlap"] = "allow";
  }

  void take_source(const Json& grid, const Json& source, const std::string& path) {
    check_keys(source, path,
               {"grid", "domain", "model", "geometry", "kind", "members", "term", "var"});
    const Json& own = source.contains("grid") ? object(source, path, "grid") : source;
    for (const char* name : {"domain", "model", "geometry"})
      if (own.contains(name) && own[name] != grid.value(name, own[name]))
        fail(path + "." + name, "is " + own[name].dump() + ", but that of 'grid' is " +
                                    grid[name].dump() + ": fields of another grid cannot be taken");
    const Json& term = object(source, path, "term");
    check_keys(term, path + ".term", {"start", "end", "timestep"});
    result_["settings"]["term"] = term;
    result_["members"] = source.value("members", Json::array({0}));
    const Json& variables = object(source, path, "var");
    for (const auto& [name, variable] : variables.items())
      take_variable(name, variable, path + ".var." + name);
  }

  void take_variable(const std::string& name, const Json& variable, const std::string& path) {
    check_keys(variable, path, {"shortname", "level", "kind", "unit"});
    if (!variable.contains("shortname")) fail(path + ".shortname", "is missing");
    const std::string kind = variable.value("kind", "input_output");
    if (kind != "input" && kind != "input_output")
      fail(path + ".kind", "must be 'input' (a forcing) or 'input_output' (a state), not '" + kind +
                               "': what is only an output cannot be forecast");
    result_["variables"][name] = {{"role", kind == "input" ? "forcing" : "state"},
                                  {"levels", variable.value("level", Json::array({0}))},
                                  {"short_name", variable["shortname"]}};
  }

  const Json& content_;
  const std::string& file_;
  Json result_;
};

bool is_original(const Json& content) {
  const auto found = content.find("dataset");
  if (found == content.end() || !found->is_object() || !content.contains("periods")) return false;
  return std::ranges::any_of(
      *found, [](const Json& source) { return source.is_object() && source.contains("var"); });
}

}  // namespace

std::shared_ptr<const Json> translate_smeagol(const Json& content, const std::string& file) {
  if (!is_original(content)) return nullptr;
  try {
    return std::make_shared<const Json>(OriginalLayout(content, file).translated());
  } catch (const Json::exception&) {
    throw Error(ErrorKind::configuration, file,
                ": a value is of another kind than in the original's configurations");
  }
}

}  // namespace py4cast
