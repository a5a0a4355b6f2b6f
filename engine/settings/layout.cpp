#include "engine/settings/layout.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace py4cast {
namespace {

std::string top_section(const std::string& path) {
  const size_t dot = path.find('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string section_of(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

const Setting* find_in(const Layout& layout, const std::string& path) {
  for (const SettingsTable* table : layout.tables)
    if (const Setting* setting = table->find(path)) return setting;
  return nullptr;
}

// The alternatives that a value names: a text or a list of texts.
bool names(const Json& value, const std::string& name) {
  const auto same = [&](const Json& part) {
    return part.is_string() && plain_name(part.get<std::string>()) == plain_name(name);
  };
  return value.is_array() ? std::any_of(value.begin(), value.end(), same) : same(value);
}

}  // namespace

void choose_from(Setting& key, const Choice& choice) {
  key.any_spelling = true;
  for (const Alternative& alternative : choice.alternatives)
    key.choices.push_back(alternative.name);
  if (const Json& value = *key.default_value; value.is_string())
    for (const std::string& name : key.choices)
      if (names(value, name)) key.default_value = std::make_shared<const Json>(name);
}

Keys Keys::chosen(const Layout& layout, const Json& values) {
  Keys keys;
  keys.add(layout, "", &values);
  keys.take_defaults();
  keys.sort();
  return keys;
}

Keys Keys::all(const Layout& layout) {
  Keys keys;
  keys.add(layout, "", nullptr);
  keys.sort();
  return keys;
}

void Keys::add(const Layout& layout, const std::string& prefix, const Json* values,
               const std::string& owner) {
  groups_.insert(groups_.end(), layout.groups.begin(), layout.groups.end());
  const auto add_own = [&](bool in_sections) {
    for (const SettingsTable* table : layout.tables)
      for (const Setting& key : table->settings())
        if (in_sections == (key.path.find('.') != std::string::npos))
          add_key(layout, key, prefix, values, owner);
  };
  for (const SettingsTable* table : layout.tables)
    for (const auto& [path, description] : table->sections())
      add_section(joined_path(prefix, path), description);
  add_own(false);
  // What stands beside all others comes before their sections.
  for (const Choice& choice : layout.choices)
    if (const Setting* key = find_in(layout, choice.key); key && choice.settings.empty())
      add_alternatives(choice, *key, prefix, values, owner);
  add_own(true);
}

void Keys::add_key(const Layout& layout, const Setting& key, const std::string& prefix,
                   const Json* values, const std::string& owner) {
  Setting setting = key;
  setting.path = joined_path(prefix, key.path);
  setting.owner = owner;
  if (const size_t dot = setting.path.rfind('.'); dot != std::string::npos)
    add_section(setting.path.substr(0, dot), "");
  const auto choice = std::find_if(layout.choices.begin(), layout.choices.end(),
                                   [&](const Choice& each) { return each.key == key.path; });
  const bool chooses = choice != layout.choices.end();
  if (chooses) choose_from(setting, *choice);
  settings_.push_back(std::move(setting));
  if (chooses && !choice->settings.empty()) add_alternatives(*choice, key, prefix, values, owner);
}

void Keys::add_alternatives(const Choice& choice, const Setting& key, const std::string& prefix,
                            const Json* values, const std::string& owner) {
  const Json* given = values ? find_place(*values, joined_path(prefix, choice.key)) : nullptr;
  const std::string place = joined_path(prefix, choice.settings);
  const bool list = key.type() == KeyType::texts;
  for (const Alternative& alternative : choice.alternatives) {
    if (values && !names(given ? *given : *key.default_value, alternative.name)) continue;
    if (values && alternative.defaults)
      defaults_.emplace_back(section_of(joined_path(prefix, choice.key)), alternative.defaults);
    add(alternative.layout, list ? joined_path(place, alternative.name) : place, values,
        choice.settings.empty() && choice.alternatives.size() == 1 ? owner : alternative.name);
  }
  if (!list) add_section(place, choice.description);
}

void Keys::take_defaults() {
  for (const auto& [section, defaults] : defaults_)
    for (Setting& key : settings_) {
      if (!section.empty() && !key.path.starts_with(section + ".")) continue;
      const Json* value =
          find_place(*defaults, key.path.substr(section.empty() ? 0 : section.size() + 1));
      if (value)
        key.default_value =
            std::make_shared<const Json>(checked_value(key, *value, "the defaults", key.path));
    }
}

void Keys::add_section(const std::string& path, const std::string& description) {
  if (path.empty()) return;
  std::string& text = sections_[path];
  if (text.empty()) text = description;
  const size_t dot = path.rfind('.');
  if (dot != std::string::npos) add_section(path.substr(0, dot), "");
}

// First the keys without a section, then the sections in the order of their first keys.
void Keys::sort() {
  std::vector<std::string> order = {""};
  for (const Setting& setting : settings_)
    if (const std::string section = top_section(setting.path);
        std::find(order.begin(), order.end(), section) == order.end())
      order.push_back(section);
  const auto place = [&](const Setting& setting) {
    return std::find(order.begin(), order.end(), top_section(setting.path)) - order.begin();
  };
  std::stable_sort(settings_.begin(), settings_.end(),
                   [&](const Setting& a, const Setting& b) { return place(a) < place(b); });
}

const Setting* Keys::find(const std::string& path) const {
  const auto found = std::find_if(settings_.begin(), settings_.end(),
                                  [&](const Setting& setting) { return setting.path == path; });
  return found == settings_.end() ? nullptr : &*found;
}

std::vector<std::string> Keys::paths() const {
  std::vector<std::string> result;
  for (const Setting& setting : settings_) {
    for (size_t dot = setting.path.find('.'); dot != std::string::npos;
         dot = setting.path.find('.', dot + 1))
      if (const std::string section = setting.path.substr(0, dot);
          std::find(result.begin(), result.end(), section) == result.end())
        result.push_back(section);
    result.push_back(setting.path);
  }
  return result;
}

std::vector<std::string> Keys::flag_names() const {
  std::vector<std::string> result;
  const auto add = [&](const std::string& name) {
    if (std::find(result.begin(), result.end(), name) == result.end()) result.push_back(name);
  };
  for (const Setting& setting : settings_) {
    add(setting.path);
    for (const std::string& flag : setting.flags) add(flag);
  }
  for (const FlagGroup& group : groups_) add(group.flag);
  return result;
}

Json Keys::values(bool examples) const {
  Json json = Json::object();
  for (const Setting& setting : settings_)
    place_of(json, setting.path) = examples && !setting.example.empty()
                                       ? Json::parse(setting.example)
                                       : *setting.default_value;
  return json;
}

}  // namespace py4cast
