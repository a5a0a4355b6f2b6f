#include "engine/settings/documents.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <sstream>

namespace py4cast {
namespace {

// Any spelling of one of the names: "^(?:[hH][\\W_]*[aA][\\W_]*...)$".
std::string pattern_of(const std::vector<std::string>& names) {
  std::string pattern;
  for (const std::string& name : names) {
    pattern += pattern.empty() ? "^(?:[\\W_]*" : "|[\\W_]*";
    for (const char letter : plain_name(name)) {
      const char capital = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
      pattern +=
          capital == letter ? std::string(1, letter) : std::string{'[', capital, letter, ']'};
      pattern += "[\\W_]*";
    }
  }
  return pattern.empty() ? "^$" : pattern + ")$";
}

Json element_schema(const Setting& key, const char* type) {
  Json schema = {{"type", type}};
  if (key.any_spelling) {
    // What editors offer, and any spelling of it.
    schema["anyOf"] = {{{"enum", key.choices}}, {{"pattern", pattern_of(key.choices)}}};
  } else if (!key.choices.empty()) {
    schema["enum"] = key.choices;
    for (const auto& [spelling, meaning] : key.spellings) {
      schema["enum"].push_back(spelling);
      const Json number = Json::parse(spelling, nullptr, false);
      if (number.is_number()) {
        schema["type"] = {type, "integer"};
        schema["enum"].push_back(number);
      }
    }
  }
  if (!key.numbered.empty()) {
    const Json pattern = {{"pattern", "^" + key.numbered + ":[0-9]+$"}};
    schema["anyOf"] = {{{"enum", schema["enum"]}}, pattern};
    schema.erase("enum");
  }
  if (key.minimum > -std::numeric_limits<double>::infinity())
    schema["minimum"] = static_cast<int64_t>(key.minimum);
  if (key.member.optional) schema["type"] = {type, "null"};
  return schema;
}

Json list_schema(const Setting& key, const char* type) {
  const Json element = element_schema(key, type);
  Json list = {{"type", "array"}, {"items", element}};
  if (key.lengths.empty()) return {{"anyOf", {list, element}}};
  Json schema = {{"anyOf", Json::array()}};
  for (size_t length : key.lengths) {
    list["minItems"] = list["maxItems"] = length;
    schema["anyOf"].push_back(list);
  }
  return schema;
}

Json key_schema(const Setting& key);

Json entries_schema(const SettingsTable& table) {
  Json entry = {
      {"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
  for (const Setting& key : table.settings()) entry["properties"][key.path] = key_schema(key);
  return {{"type", "object"}, {"additionalProperties", entry}};
}

Json type_schema(const Setting& key) {
  switch (key.type()) {
    case KeyType::boolean:
      return element_schema(key, "boolean");
    case KeyType::integer:
      return element_schema(key, "integer");
    case KeyType::number:
      return element_schema(key, "number");
    case KeyType::text:
      return element_schema(key, "string");
    case KeyType::integers:
      return list_schema(key, "integer");
    case KeyType::numbers:
      return list_schema(key, "number");
    case KeyType::texts:
      return list_schema(key, "string");
    case KeyType::entries:
      return entries_schema(*key.member.entries());
    default:
      return {{"type", "object"}};
  }
}

Json key_schema(const Setting& key) {
  Json schema = {{"description", key.description}};
  schema.update(type_schema(key));
  schema["default"] = *key.default_value;
  return schema;
}

Json object_schema(const std::string& description) {
  Json schema = Json::object();
  if (!description.empty()) schema["description"] = description;
  schema["type"] = "object";
  schema["properties"] = Json::object();
  schema["additionalProperties"] = false;
  return schema;
}

// The schema of the object at `path`, made where it is missing.
Json& object_at(Json& schema, const std::string& path,
                const std::map<std::string, std::string>& sections) {
  Json* place = &schema;
  for (size_t end = 0; end < path.size();) {
    const size_t begin = end == 0 ? 0 : end + 1;
    end = std::min(path.find('.', begin), path.size());
    Json& part = (*place)["properties"][path.substr(begin, end - begin)];
    const auto section = sections.find(path.substr(0, end));
    if (part.is_null()) part = object_schema(section == sections.end() ? "" : section->second);
    place = &part;
  }
  return *place;
}

std::pair<std::string, std::string> split_path(const std::string& path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos) return {"", path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

Json layout_schema(const Layout& layout, const std::string& description, bool whole = false);

// {"if": {"properties": {"name": ...}}, "then": ...}; what is left out is the default.
Json condition(const Setting& key, const std::string& name, const Alternative& alternative,
               Json then) {
  Json condition = {{"properties", {{name, {{"pattern", pattern_of({alternative.name})}}}}}};
  const Json& otherwise = *key.default_value;
  if (!otherwise.is_string() ||
      plain_name(otherwise.get<std::string>()) != plain_name(alternative.name))
    condition["required"] = Json::array({name});
  return {{"if", std::move(condition)}, {"then", std::move(then)}};
}

bool is_empty(const Layout& layout) {
  return layout.tables.empty() && layout.choices.empty();
}

// The keys of the alternatives, each under the condition that it is chosen.
void add_choice(Json& schema, const Choice& choice, const Setting& key,
                const std::map<std::string, std::string>& sections) {
  const auto [section, name] = split_path(choice.key);
  const bool none = std::all_of(choice.alternatives.begin(), choice.alternatives.end(),
                                [](const Alternative& each) { return is_empty(each.layout); });
  if (key.type() == KeyType::texts) {
    for (const Alternative& alternative : choice.alternatives)
      if (!is_empty(alternative.layout))
        object_at(schema, choice.settings, sections)["properties"][alternative.name] =
            layout_schema(alternative.layout, "");
    return;
  }
  Json& owner = object_at(schema, section, sections);
  const std::string inside = choice.settings.substr(
      std::min(choice.settings.size(), section.empty() ? section.size() : section.size() + 1));
  if (!inside.empty())
    owner["properties"][inside] = {{"description", choice.description}, {"type", "object"}};
  if (none) {
    if (!inside.empty()) owner["properties"][inside]["maxProperties"] = 0;
    return;
  }
  for (const Alternative& alternative : choice.alternatives) {
    Json part = layout_schema(alternative.layout, "");
    if (inside.empty()) {
      for (const char* closed : {"description", "type", "additionalProperties"}) part.erase(closed);
      owner.erase("additionalProperties");
      owner["unevaluatedProperties"] = false;
    } else {
      part = {{"properties", {{inside, std::move(part)}}}};
    }
    owner["allOf"].push_back(condition(key, name, alternative, std::move(part)));
  }
}

const Setting* find_key(const Layout& layout, const std::string& path) {
  for (const SettingsTable* table : layout.tables)
    if (const Setting* key = table->find(path)) return key;
  return nullptr;
}

// The alternative's keys beside those of the layout.
Layout merged(const Layout& layout, const Choice& choice, const Alternative& alternative) {
  Layout result = layout;
  std::erase_if(result.choices, [&](const Choice& each) { return each.key == choice.key; });
  Choice made = choice;  // the key keeps its names, without keys of their own
  for (Alternative& each : made.alternatives) each.layout = {};
  result.choices.push_back(std::move(made));
  result.tables.insert(result.tables.begin(), alternative.layout.tables.begin(),
                       alternative.layout.tables.end());
  result.choices.insert(result.choices.end(), alternative.layout.choices.begin(),
                        alternative.layout.choices.end());
  return result;
}

Json layout_schema(const Layout& layout, const std::string& description, bool whole) {
  // An alternative beside all others shares sections with them: each has a schema of its own.
  for (const Choice& choice : layout.choices) {
    if (!choice.settings.empty()) continue;
    const Setting* key = find_key(layout, choice.key);
    if (!key || std::all_of(choice.alternatives.begin(), choice.alternatives.end(),
                            [](const Alternative& each) { return is_empty(each.layout); }))
      continue;
    if (choice.alternatives.size() == 1)
      return layout_schema(merged(layout, choice, choice.alternatives.front()), description, whole);
    Json schema = {{"description", description}, {"type", "object"}, {"allOf", Json::array()}};
    for (const Alternative& alternative : choice.alternatives)
      schema["allOf"].push_back(
          condition(*key, choice.key, alternative,
                    layout_schema(merged(layout, choice, alternative), description, whole)));
    return schema;
  }
  Json schema = object_schema(description);
  if (whole)
    schema["properties"]["$schema"] = {{"description", "This schema, for editors."},
                                       {"type", "string"}};
  const Keys keys = Keys::chosen({layout.tables, {}, {}}, Json::object());
  for (const Setting& each : keys.settings()) {
    Setting key = each;
    for (const Choice& choice : layout.choices)
      if (choice.key == key.path) choose_from(key, choice);
    const auto [section, name] = split_path(key.path);
    object_at(schema, section, keys.sections())["properties"][name] = key_schema(key);
    for (const Choice& choice : layout.choices)
      if (choice.key == key.path && !choice.settings.empty())
        add_choice(schema, choice, key, keys.sections());
  }
  return schema;
}

// An object is spread over lines of its own if a part of it has a comment.
bool has_comments(const Json& value, const std::string& path, const Commenter& comment) {
  if (!value.is_object()) return false;
  const auto items = value.items();
  return std::any_of(items.begin(), items.end(), [&](const auto& item) {
    const std::string inner = joined_path(path, item.key());
    return !comment(inner).empty() || has_comments(item.value(), inner, comment);
  });
}

void write_object(std::ostringstream& out, const Json& values, const std::string& path,
                  const Commenter& comment, size_t indent) {
  const std::string margin(indent, ' ');
  size_t left = values.size();
  for (const auto& [name, value] : values.items()) {
    const std::string inner = joined_path(path, name);
    const std::string text = comment(inner);
    if (!text.empty()) out << margin << "// " << wrapped(text, margin + "// ") << '\n';
    out << margin << Json(name).dump() << ": ";
    if (has_comments(value, inner, comment)) {
      out << "{\n";
      write_object(out, value, inner, comment, indent + 2);
      out << margin << "}";
    } else {
      out << pretty_json(value, indent);
    }
    out << (--left ? ",\n" : "\n");
  }
}

// "Passes over the training period. (an integer; default 200)"
std::string meaning(const Setting& key) {
  const bool object = key.type() == KeyType::object || key.type() == KeyType::entries;
  return key.description + " (" + (object ? "" : describe_type(key) + "; ") + "default " +
         on_one_line(*key.default_value) + (key.owner.empty() ? ")" : "; of " + key.owner + ")");
}

void write_flag(std::ostringstream& out, const std::string& head, const std::string& text) {
  const std::string margin(8, ' ');
  out << "  " << head << '\n' << margin << wrapped(text, margin) << '\n';
}

void write_key(std::ostringstream& out, const Setting& key) {
  std::string head = "--" + key.path;
  for (const std::string& flag : key.flags) head += ", --" + flag;
  if (key.type() == KeyType::object || key.type() == KeyType::entries) head += "[.NAME]";
  if (key.type() == KeyType::boolean)
    head += ", --no-" + (key.flags.empty() ? key.path : key.flags.front());
  write_flag(out, head, meaning(key));
}

}  // namespace

std::string commented_configuration(const Json& values, const Commenter& comment,
                                    const std::string& heading) {
  std::ostringstream out;
  if (!heading.empty()) out << "// " << wrapped(heading, "// ") << '\n';
  out << "{\n";
  write_object(out, values, "", comment, 2);
  out << "}\n";
  return out.str();
}

Json schema_of(const Layout& layout, const std::string& title) {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
  schema.update(layout_schema(layout, "All keys may be left out.", /*whole=*/true));
  return schema;
}

std::string help_of(const Layout& layout) {
  std::ostringstream out;
  std::string section = "-";
  const Keys keys = Keys::all(layout);
  for (const Setting& key : keys.settings()) {
    const size_t dot = key.path.find('.');
    const std::string here = dot == std::string::npos ? "" : key.path.substr(0, dot);
    if (here != section) out << '\n' << (here.empty() ? "general" : here) << ":\n";
    section = here;
    write_key(out, key);
  }
  out << "\nseveral keys at once:\n";
  for (const FlagGroup& group : keys.groups())
    write_flag(out, "--" + group.flag + (group.value.empty() ? "" : " " + group.value),
               group.description);
  write_flag(out, "--SECTION JSON", "The keys of a section that the JSON object gives.");
  return out.str();
}

std::string example_of(const Layout& layout, const std::string& heading) {
  // An example may choose what brings keys of its own.
  Keys keys = Keys::chosen(layout, Json::object());
  for (size_t known = 0; known != keys.settings().size();) {
    known = keys.settings().size();
    keys = Keys::chosen(layout, keys.values(/*examples=*/true));
  }
  const auto comment = [&](const std::string& path) -> std::string {
    if (const Setting* key = keys.find(path)) return meaning(*key);
    const auto section = keys.sections().find(path);
    return section == keys.sections().end() ? "" : section->second;
  };
  return commented_configuration(keys.values(/*examples=*/true), comment, heading);
}

}  // namespace py4cast
