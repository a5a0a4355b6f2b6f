#include "engine/settings/key.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/settings/registry.h"
#include "engine/settings/settings.h"

namespace py4cast {
namespace {

// Integers are kept as int64_t.
constexpr uint64_t largest_integer = std::numeric_limits<int64_t>::max();

std::string join(const std::vector<std::string>& words, const std::string& last) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "'" : i + 1 == words.size() ? last + "'" : ", '") + words[i] + "'";
  return text;
}

bool is_list(KeyType type) {
  return type == KeyType::integers || type == KeyType::numbers || type == KeyType::texts;
}

KeyType element_type(KeyType type) {
  if (type == KeyType::integers) return KeyType::integer;
  if (type == KeyType::numbers) return KeyType::number;
  if (type == KeyType::texts) return KeyType::text;
  return type;
}

bool has_type(const Json& value, KeyType type) {
  switch (type) {
    case KeyType::boolean:
      return value.is_boolean();
    case KeyType::integer:
      return value.is_number_integer();
    case KeyType::number:
      return value.is_number();
    case KeyType::text:
      return value.is_string();
    case KeyType::object:
    case KeyType::entries:
      return value.is_object();
    default:
      return value.is_array();
  }
}

std::string shortened(const std::string& text) {
  return text.size() <= 100 ? text : text.substr(0, 97) + "...";
}

std::string shown(const Json& value) {
  if (value.is_string()) return "'" + shortened(value.get<std::string>()) + "'";
  if (value.is_array()) return "a list (" + shortened(value.dump()) + ")";
  if (value.is_object()) return "an object ({...})";
  return value.dump();
}

bool is_choice(const Key& key, const std::string& text) {
  const bool has_number = !key.numbered.empty() && text.starts_with(key.numbered + ":");
  const std::string number = has_number ? text.substr(key.numbered.size() + 1) : "";
  return std::count(key.choices.begin(), key.choices.end(), text) ||
         (!number.empty() && number.find_first_not_of("0123456789") == std::string::npos);
}

// A choice in its own spelling, if the text is one.
std::string own_spelling(const Setting& key, const std::string& text) {
  if (key.any_spelling)
    for (const std::string& choice : key.choices)
      if (plain_name(choice) == plain_name(text)) return choice;
  return text;
}

// A default that is no choice is refused by who needs it: this build lacks what it names.
bool is_default(const Setting& key, const Json& value) {
  return key.any_spelling && value == *key.default_value;
}

// One value that is no list: its spelling, type, choices and minimum.
Json checked_element(const Setting& key, KeyType type, const Json& value,
                     const std::string& subject) {
  const std::string text = value.is_string()       ? own_spelling(key, value.get<std::string>())
                           : value.is_structured() ? ""
                                                   : value.dump();
  const auto spelling = key.spellings.find(text);
  if (spelling != key.spellings.end()) return spelling->second;
  if (!has_type(value, type))
    throw Error(ErrorKind::configuration, subject, " must be ", describe_type(key), ", not ",
                shown(value));
  if (value.is_number_unsigned() && value.get<uint64_t>() > largest_integer)
    throw Error(ErrorKind::configuration, subject, " must be at most ", largest_integer, ", not ",
                text);
  if (key.any_spelling && key.choices.empty() && !is_default(key, value))
    throw Error(ErrorKind::configuration, subject, ": there is no '", text, "' in this build");
  if (!key.choices.empty() && !is_choice(key, text) && !is_default(key, value))
    throw Error(ErrorKind::configuration, subject, " must be ", describe_type(key), ", not '", text,
                "'; did you mean '", nearest_name(text, key.choices), "'?");
  if (value.is_number() && !(value.get<double>() >= key.minimum))
    throw Error(ErrorKind::configuration, subject, " must be at least ", key.minimum, ", not ",
                text);
  return value.is_string() ? Json(text) : value;
}

Json checked_list(const Setting& key, const Json& value, const std::string& subject) {
  const bool alone = has_type(value, element_type(key.type()));
  if (!value.is_array() && !alone)
    throw Error(ErrorKind::configuration, subject, " must be ", describe_type(key), ", not ",
                shown(value));
  Json list = Json::array();
  for (const Json& element : alone ? Json::array({value}) : value)
    list.push_back(checked_element(key, element_type(key.type()), element, subject));
  if (!key.lengths.empty() &&
      std::count(key.lengths.begin(), key.lengths.end(), list.size()) == 0) {
    std::string lengths;
    for (size_t length : key.lengths)
      lengths += (lengths.empty() ? "" : " or ") + std::to_string(length);
    throw Error(ErrorKind::configuration, subject, " must have ", lengths, " values, not ",
                list.size());
  }
  return list;
}

Json checked_entry(const SettingsTable& table, const Json& entry, const std::string& where,
                   const std::string& path) {
  if (!entry.is_object()) {
    Json shape = Json::object();
    for (const Setting& setting : table.settings())
      if (setting.always_written) shape[setting.path] = *setting.default_value;
    throw Error(ErrorKind::configuration, where, ": '", path, "' must be an object such as ",
                on_one_line(shape), ", not ", shown(entry));
  }
  Json checked = Json::object();
  for (const auto& [name, value] : entry.items()) {
    const std::string full = joined_path(path, name);
    std::vector<std::string> known;
    for (const std::string& key : table.names()) known.push_back(joined_path(path, key));
    const Setting* setting = table.find(name);
    if (!setting) refuse_unknown(where, "key", full, known);
    checked[name] = checked_value(*setting, value, where, full);
  }
  return checked;
}

Json checked_entries(const SettingsTable& table, const Json& value, const std::string& where,
                     const std::string& name) {
  Json entries = Json::object();
  for (const auto& [entry_name, entry] : value.items())
    entries[entry_name] = checked_entry(table, entry, where, joined_path(name, entry_name));
  return entries;
}

}  // namespace

std::string describe_type(const Setting& key) {
  std::vector<std::string> choices = key.choices;
  if (!key.numbered.empty()) choices.push_back(key.numbered + ":N");
  if (!choices.empty()) return (is_list(key.type()) ? "a list of " : "") + join(choices, " or ");
  switch (key.type()) {
    case KeyType::boolean:
      return "true or false";
    case KeyType::integer:
      return "an integer";
    case KeyType::number:
      return "a number";
    case KeyType::text:
      return "a string";
    case KeyType::integers:
      return "a list of integers";
    case KeyType::numbers:
      return "a list of numbers";
    case KeyType::texts:
      return "a list of strings";
    default:
      return "an object ({...})";
  }
}

Json checked_value(const Setting& key, const Json& value, const std::string& where,
                   const std::string& name) {
  const std::string subject = where + ": '" + name + "'";
  if (key.member.optional && value.is_null()) return value;
  if (is_list(key.type())) return checked_list(key, value, subject);
  const Json checked = checked_element(key, key.type(), value, subject);
  return key.type() == KeyType::entries
             ? checked_entries(*key.member.entries(), checked, where, name)
             : checked;
}

Json value_from_text(KeyType type, const std::string& text) {
  if (!is_utf8(text))
    throw Error(ErrorKind::configuration, "command line or environment: '", text, "' is not UTF-8");
  if (type == KeyType::text) return text;
  if (is_list(type) && !text.starts_with("[")) {
    Json list = Json::array();
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      list.push_back(value_from_text(element_type(type), text.substr(begin, end - begin)));
      begin = end + 1;
    }
    return list;
  }
  try {
    return parse_json(text, "", ErrorKind::configuration);
  } catch (const Error&) {
    return text;
  }
}

Json inside_value(const Setting& setting, const std::string& inside, const std::string& text) {
  if (setting.type() == KeyType::entries)
    for (const Setting& part : setting.member.entries()->settings())
      if (inside.ends_with("." + part.path)) return value_from_text(part.type(), text);
  return value_from_text(KeyType::object, text);
}

std::string environment_name(const std::string& path) {
  std::string name = "PY4CAST_" + path;
  for (char& letter : name)
    letter =
        letter == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return name;
}

std::string environment_name(const Setting& setting) {
  return setting.environment.empty() ? environment_name(setting.path) : setting.environment;
}

void refuse_unknown(const std::string& where, const std::string& what, const std::string& name,
                    const std::vector<std::string>& known) {
  auto last_part = [](const std::string& path) { return path.substr(path.rfind('.') + 1); };
  // A key put into the wrong section is meant more often than one with a similar path.
  const auto elsewhere = std::find_if(known.begin(), known.end(), [&](const std::string& path) {
    return last_part(path) == last_part(name);
  });
  throw Error(ErrorKind::configuration, where, ": unknown ", what, " '", name, "'; did you mean '",
              elsewhere != known.end() ? *elsewhere : nearest_name(name, known), "'?");
}

}  // namespace py4cast
