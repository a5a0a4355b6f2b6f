// Which keys a configuration has: those of tables, and those that a choice brings.
//
//   Layout
//     tables    keys that are always there
//     choices   keys whose value is the name of an alternative, with a layout of its own:
//                 model.name = "halfunet"  ->  model.settings.num_filters, ...
//     groups    flags that stand for several keys
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/settings/registry.h"
#include "engine/settings/settings.h"

namespace py4cast {

struct Alternative;

struct Choice {
  std::string key;          // "model.name": text, or a list of names
  std::string settings;     // where the keys of the chosen one stand: "model.settings"; of a list:
                            // each below its name; "": beside all others
  std::string description;  // of that place, a sentence
  std::vector<Alternative> alternatives;
};

// A flag that stands for several keys.
struct FlagGroup {
  std::string flag, value, description;  // value: what the help calls it; empty: a switch
  std::string section;  // this section is replaced by what stands in the file that the flag names
  std::string kept;     // but for this key of it
  std::vector<std::pair<std::string, std::string>> values;  // of a switch: these keys, as text
  // What stands in the file, which may be of another program's layout, as keys of ours; absent: as it is.
  std::function<Json(const Json& content, const std::string& file)> translate = {};
};

struct Layout {
  std::vector<const SettingsTable*> tables;
  std::vector<Choice> choices;
  std::vector<FlagGroup> groups;
};

struct Alternative {
  std::string name;
  Layout layout;  // paths below Choice::settings
  // Other defaults of the keys that stand in the section of Choice::key; null: none.
  std::shared_ptr<const Json> defaults = nullptr;
};

// The alternatives of a choice are the kinds of a registry; those have a name and either
// `const SettingsTable* settings` (null: none) or a function `layout`, and may have `defaults`.
template <typename Kind>
Choice choice_of(const Registry<Kind>& registry, Choice choice) {
  for (const Kind& kind : registry) {
    Layout layout;
    if constexpr (requires { kind.layout(); })
      layout = kind.layout();
    else if (kind.settings)
      layout.tables.push_back(kind.settings);
    choice.alternatives.push_back({kind.name, std::move(layout)});
    if constexpr (requires { kind.defaults; }) choice.alternatives.back().defaults = kind.defaults;
  }
  return choice;
}

// Makes the names of the alternatives the choices of the key.
void choose_from(Setting& key, const Choice& choice);

// The keys of a layout with certain choices made, flat, with full paths.
class Keys {
 public:
  // With what `values` (nested) or else the defaults choose. A default that is no alternative
  // brings no keys.
  static Keys chosen(const Layout& layout, const Json& values);
  // Those of all alternatives.
  static Keys all(const Layout& layout);

  const std::vector<Setting>& settings() const& { return settings_; }
  std::vector<Setting> settings() && { return std::move(settings_); }
  const std::vector<FlagGroup>& groups() const { return groups_; }
  // By path, with its sentence (may be empty).
  const std::map<std::string, std::string>& sections() const { return sections_; }
  const Setting* find(const std::string& path) const;
  bool is_section(const std::string& path) const { return sections_.count(path) > 0; }
  // Every key and every section.
  std::vector<std::string> paths() const;
  // Without dashes, each once: paths, short flags, groups.
  std::vector<std::string> flag_names() const;
  // All keys, nested: examples where there are any and `examples` is set, else defaults.
  Json values(bool examples = false) const;

 private:
  // Null values: all alternatives.
  void add(const Layout& layout, const std::string& prefix, const Json* values,
           const std::string& owner = {});
  void add_key(const Layout& layout, const Setting& key, const std::string& prefix,
               const Json* values, const std::string& owner);
  void add_alternatives(const Choice& choice, const Setting& key, const std::string& prefix,
                        const Json* values, const std::string& owner);
  void add_section(const std::string& path, const std::string& description);
  void take_defaults();
  void sort();

  std::vector<Setting> settings_;
  std::map<std::string, std::string> sections_;
  std::vector<FlagGroup> groups_;
  // Of the alternatives that are chosen: a section and the defaults of its keys.
  std::vector<std::pair<std::string, std::shared_ptr<const Json>>> defaults_;
};

}  // namespace py4cast
