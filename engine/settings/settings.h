// Settings: plain structs whose members know their names, defaults, sentences and limits.
//
//   struct HalfUNetSettings : Settings {
//     PY4CAST_SETTING(int64_t, num_filters, 64, "Features of every level.", .minimum = 1);
//     PY4CAST_SETTING(Texts, statics, (Texts{"x", "y"}), "Constant fields.",
//                     .choices = {"x", "y", "land_sea_mask"});
//     PY4CAST_SECTION(ScheduleSection, schedule, "The learning rate over the training.");
//   };
//
// A member is one of bool, int64_t, double, std::optional<double>, std::string, a vector of
// int64_t, double or std::string, Json (an open object), an enumeration (its values are the choices
// in their order), or a vector of structs of settings with a plain member `name`
// (entries by name). Structs may build on others, and may have plain members that are no settings.
// They are aggregates: HalfUNetSettings{.num_filters = 32}. What the table knows is used by configuration files, flags,
// environment, JSON schema, commented example and help (layout.h, resolve.h, documents.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/settings/key.h"

namespace py4cast {

using Texts = std::vector<std::string>;
using Integers = std::vector<int64_t>;
using Numbers = std::vector<double>;

// The keys of one struct.
class SettingsTable {
 public:
  // In the order of the members; paths are those within the struct.
  const std::vector<Setting>& settings() const { return settings_; }
  // The sections' sentences by path.
  const std::map<std::string, std::string>& sections() const { return sections_; }
  const Setting* find(const std::string& path) const;
  std::vector<std::string> names() const;

  // Fills the members of the struct at `object` that `json` has; values are checked already.
  void read(const Json& json, void* object) const;
  // All keys with the values of the struct at `object`.
  Json write(const void* object) const;
  // An entry: without what has its default.
  Json write_short(const void* object) const;
  // The whole of the settings: defaults, and above them what `json` has.
  // Error(configuration): "WHERE: unknown key 'PREFIX.NAME'; did you mean ...?", or a wrong value.
  Json checked(const Json& json, const std::string& where, const std::string& prefix) const;
  // The same into the struct at `object`, which has its defaults.
  void read_checked(const Json& json, const std::string& where, const std::string& prefix,
                    void* object) const;

 private:
  friend class SettingsCollector;
  std::vector<Setting> settings_;
  std::map<std::string, std::string> sections_;
};

// Takes down the members of a struct while one is constructed.
class SettingsCollector {
 public:
  SettingsCollector(SettingsTable& table, const void* object, std::string prefix = {},
                    std::string examples = {})
      : table_(table),
        object_(object),
        prefix_(std::move(prefix)),
        examples_(std::move(examples)) {}
  void add(const void* member, const char* name, Key key, const MemberType& type,
           const void* default_value);
  SettingsCollector* section(const char* name, const char* description, const char* examples);

 private:
  SettingsTable& table_;
  const void* object_;  // the outermost struct
  std::string prefix_;
  std::string examples_;  // JSON: of the keys of this section
  std::deque<SettingsCollector> sections_;
};

template <typename T>
struct MemberTypeOf;

// The base of structs of settings.
struct Settings {
  SettingsCollector* collector = nullptr;  // while a table is made

  bool operator==(const Settings&) const { return true; }

 protected:
  template <typename T>
  T setting(const void* member, const char* name, T value, const Key& key) const {
    if (collector) collector->add(member, name, key, MemberTypeOf<T>::get(), &value);
    return value;
  }
  Settings section(const char* name, const char* description, const char* examples = "") const {
    return Settings{collector ? collector->section(name, description, examples) : nullptr};
  }
};

#define PY4CAST_SETTING(type, name, default_value, sentence, ...) \
  type name = this->template setting<type>(                       \
      &name, #name, default_value,                                \
      ::py4cast::Key{.description = sentence __VA_OPT__(, ) __VA_ARGS__})
// After the sentence: examples of its keys, a JSON object (Key::example).
#define PY4CAST_SECTION(type, name, sentence, ...)            \
  type name {                                                 \
    this->section(#name, sentence __VA_OPT__(, ) __VA_ARGS__) \
  }

template <typename S>
const SettingsTable& table_of() {
  static const SettingsTable table = [] {
    SettingsTable result;
    alignas(S) std::byte storage[sizeof(S)] = {};
    SettingsCollector collector(result, storage);
    std::destroy_at(new (storage) S{Settings{&collector}});
    return result;
  }();
  return table;
}

template <typename S>
S read_settings(const Json& json) {
  S settings;
  table_of<S>().read(json, &settings);
  return settings;
}

// Error(configuration): as SettingsTable::checked.
template <typename S>
S checked_settings(const Json& json, const std::string& where, const std::string& prefix = {}) {
  S settings;
  table_of<S>().read_checked(json, where, prefix, &settings);
  return settings;
}

// The result is a parameter because Json is only declared here.
template <typename S, typename Result = Json>
requires std::is_base_of_v<Settings, S> Result to_json(const S& settings) {
  return table_of<S>().write(&settings);
}

// The types of members.
#define PY4CAST_MEMBER_TYPE(T)      \
  template <>                       \
  struct MemberTypeOf<T> {          \
    static const MemberType& get(); \
  }
PY4CAST_MEMBER_TYPE(bool);
PY4CAST_MEMBER_TYPE(int64_t);
PY4CAST_MEMBER_TYPE(double);
PY4CAST_MEMBER_TYPE(std::optional<double>);
PY4CAST_MEMBER_TYPE(std::string);
PY4CAST_MEMBER_TYPE(Integers);
PY4CAST_MEMBER_TYPE(Numbers);
PY4CAST_MEMBER_TYPE(Texts);
PY4CAST_MEMBER_TYPE(Json);
#undef PY4CAST_MEMBER_TYPE

// An enumerator's number is that of its choice.
void choice_to_json(const Key& key, int64_t number, Json& value);
int64_t choice_from_json(const Key& key, const Json& value);

template <typename T>
requires std::is_enum_v<T>
struct MemberTypeOf<T> {
  static const MemberType& get() {
    static const MemberType type{
        .type = KeyType::text,
        .set =
            [](const Key& key, void* member, const Json& value) {
              *static_cast<T*>(member) = static_cast<T>(choice_from_json(key, value));
            },
        .get =
            [](const Key& key, const void* member, Json& value) {
              choice_to_json(key, static_cast<int64_t>(*static_cast<const T*>(member)), value);
            }};
    return type;
  }
};

// `add` makes an entry of that name and returns its place.
void entries_from_json(const SettingsTable& table, const Json& value,
                       const std::function<void*(const std::string& name)>& add);
void start_object(Json& value);
void entry_to_json(const SettingsTable& table, const std::string& name, const void* entry,
                   Json& value);

template <typename E>
requires std::is_base_of_v<Settings, E>
struct MemberTypeOf<std::vector<E>> {
  static const MemberType& get() {
    static const MemberType type{
        .type = KeyType::entries,
        .set =
            [](const Key&, void* member, const Json& value) {
              auto& entries = *static_cast<std::vector<E>*>(member);
              entries.clear();
              entries_from_json(table_of<E>(), value, [&](const std::string& name) {
                entries.emplace_back().name = name;
                return &entries.back();
              });
            },
        .get =
            [](const Key&, const void* member, Json& value) {
              start_object(value);
              for (const E& entry : *static_cast<const std::vector<E>*>(member))
                entry_to_json(table_of<E>(), entry.name, &entry, value);
            },
        .entries = [] { return &table_of<E>(); }};
    return type;
  }
};

}  // namespace py4cast
