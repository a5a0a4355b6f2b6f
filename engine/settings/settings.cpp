#include "engine/settings/settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace py4cast {
namespace {

template <typename T>
void set_value(const Key&, void* member, const Json& value) {
  *static_cast<T*>(member) = value.get<T>();
}

template <typename T>
void get_value(const Key&, const void* member, Json& value) {
  value = *static_cast<const T*>(member);
}

template <typename T>
constexpr MemberType plain(KeyType type) {
  return {.type = type, .set = set_value<T>, .get = get_value<T>};
}

// The object with the keys of `table`, checked; nested paths stand in nested objects.
void check_object(const SettingsTable& table, const Json& given, const std::string& inside,
                  const std::string& where, const std::string& prefix, Json& checked) {
  for (const auto& [name, value] : given.items()) {
    const std::string path = joined_path(inside, name);
    if (const Setting* setting = table.find(path)) {
      place_of(checked, path) = checked_value(*setting, value, where, joined_path(prefix, path));
    } else if (table.sections().count(path) && value.is_object()) {
      check_object(table, value, path, where, prefix, checked);
    } else if (table.sections().count(path)) {
      throw Error(ErrorKind::configuration, where, ": '", joined_path(prefix, path),
                  "' must be an object ({...}), not ", value.dump());
    } else {
      std::vector<std::string> known;
      for (const std::string& key : table.names()) known.push_back(joined_path(prefix, key));
      refuse_unknown(where, "key", joined_path(prefix, path), known);
    }
  }
}

}  // namespace

#define PY4CAST_MEMBER_TYPE(T, key_type)                            \
  const MemberType& MemberTypeOf<T>::get() {                        \
    static constexpr MemberType type = plain<T>(KeyType::key_type); \
    return type;                                                    \
  }
PY4CAST_MEMBER_TYPE(bool, boolean)
PY4CAST_MEMBER_TYPE(int64_t, integer)
PY4CAST_MEMBER_TYPE(double, number)
PY4CAST_MEMBER_TYPE(std::string, text)
PY4CAST_MEMBER_TYPE(Integers, integers)
PY4CAST_MEMBER_TYPE(Numbers, numbers)
PY4CAST_MEMBER_TYPE(Texts, texts)
PY4CAST_MEMBER_TYPE(Json, object)
#undef PY4CAST_MEMBER_TYPE

const MemberType& MemberTypeOf<std::optional<double>>::get() {
  static constexpr MemberType type{
      .type = KeyType::number,
      .optional = true,
      .set =
          [](const Key&, void* member, const Json& value) {
            auto& place = *static_cast<std::optional<double>*>(member);
            place = value.is_null() ? std::nullopt : std::optional(value.get<double>());
          },
      .get =
          [](const Key&, const void* member, Json& value) {
            const auto& number = *static_cast<const std::optional<double>*>(member);
            value = number ? Json(*number) : Json();
          }};
  return type;
}

void choice_to_json(const Key& key, int64_t number, Json& value) {
  value = key.choices.at(static_cast<size_t>(number));
}

int64_t choice_from_json(const Key& key, const Json& value) {
  return std::find(key.choices.begin(), key.choices.end(), value.get<std::string>()) -
         key.choices.begin();
}

void entries_from_json(const SettingsTable& table, const Json& value,
                       const std::function<void*(const std::string& name)>& add) {
  for (const auto& [name, entry] : value.items()) table.read(entry, add(name));
}

void start_object(Json& value) {
  value = Json::object();
}

void entry_to_json(const SettingsTable& table, const std::string& name, const void* entry,
                   Json& value) {
  value[name] = table.write_short(entry);
}

void SettingsCollector::add(const void* member, const char* name, Key key, const MemberType& type,
                            const void* default_value) {
  Setting setting{std::move(key), joined_path(prefix_, name), type};
  setting.offset = static_cast<size_t>(static_cast<const std::byte*>(member) -
                                       static_cast<const std::byte*>(object_));
  if (!examples_.empty())
    if (const Json examples = Json::parse(examples_); examples.contains(name))
      setting.example = examples[name].dump();
  Json value;
  type.get(setting, default_value, value);
  setting.default_value = std::make_shared<const Json>(std::move(value));
  table_.settings_.push_back(std::move(setting));
}

SettingsCollector* SettingsCollector::section(const char* name, const char* description,
                                              const char* examples) {
  const std::string path = joined_path(prefix_, name);
  table_.sections_[path] = description;
  return &sections_.emplace_back(table_, object_, path, examples);
}

const Setting* SettingsTable::find(const std::string& path) const {
  const auto found = std::find_if(settings_.begin(), settings_.end(),
                                  [&](const Setting& setting) { return setting.path == path; });
  return found == settings_.end() ? nullptr : &*found;
}

std::vector<std::string> SettingsTable::names() const {
  std::vector<std::string> result;
  for (const Setting& setting : settings_) result.push_back(setting.path);
  return result;
}

void SettingsTable::read(const Json& json, void* object) const {
  for (const Setting& setting : settings_)
    if (const Json* value = find_place(json, setting.path))
      setting.member.set(setting, static_cast<std::byte*>(object) + setting.offset, *value);
}

Json SettingsTable::write(const void* object) const {
  Json json = Json::object();
  for (const Setting& setting : settings_)
    setting.member.get(setting, static_cast<const std::byte*>(object) + setting.offset,
                       place_of(json, setting.path));
  return json;
}

Json SettingsTable::write_short(const void* object) const {
  Json json = Json::object();
  for (const Setting& setting : settings_) {
    Json value;
    setting.member.get(setting, static_cast<const std::byte*>(object) + setting.offset, value);
    if (setting.always_written || value != *setting.default_value)
      place_of(json, setting.path) = std::move(value);
  }
  return json;
}

void SettingsTable::read_checked(const Json& json, const std::string& where,
                                 const std::string& prefix, void* object) const {
  read(checked(json, where, prefix), object);
}

Json SettingsTable::checked(const Json& json, const std::string& where,
                            const std::string& prefix) const {
  if (!json.is_object())
    throw Error(ErrorKind::configuration, where, ": '", prefix, "' must be an object ({...}), not ",
                json.dump());
  Json result = Json::object();
  for (const Setting& setting : settings_) place_of(result, setting.path) = *setting.default_value;
  check_object(*this, json, "", where, prefix, result);
  return result;
}

}  // namespace py4cast
