// The original's configuration files.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/smeagol/smeagol_dataset.h"
#include "data/weather/original_layout.h"
#include "engine/error.h"

namespace py4cast {
namespace {

class SmeagolLayout : public OriginalLayout {
 public:
  using OriginalLayout::OriginalLayout;

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
    take_periods({"start", "end", "step"}, result_);
    for (const char* name : splits) {
      const Json& period = content_["periods"][name];
      if (period.contains("step")) result_["periods"][name]["run_step"] = period["step"];
    }
    const Json& sources = object(content_, "", "dataset");
    for (const auto& [name, source] : sources.items()) take_source(grid, source, "dataset." + name);
    return std::move(result_);
  }

 private:
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
    result_["variables"][name] = {{"role", role_of(variable, path)},
                                  {"levels", variable.value("level", Json::array({0}))},
                                  {"short_name", member(variable, path, "shortname")}};
  }

  Json result_;
};

bool is_smeagol_layout(const Json& content) {
  const auto found = content.find("dataset");
  if (found == content.end() || !found->is_object() || !content.contains("periods")) return false;
  return std::ranges::any_of(
      *found, [](const Json& source) { return source.is_object() && source.contains("var"); });
}

}  // namespace

std::shared_ptr<const Json> translate_smeagol(const Json& content, const std::string& file) {
  if (!is_smeagol_layout(content)) return nullptr;
  try {
    return std::make_shared<const Json>(SmeagolLayout(content, file).translated());
  } catch (const Json::exception&) {
    throw Error(ErrorKind::configuration, file,
                ": a value is of another kind than in the original's configurations");
  }
}

}  // namespace py4cast
