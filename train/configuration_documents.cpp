#include "train/configuration_documents.h"

#include <algorithm>
#include <sstream>

#include "train/configuration_keys.h"

namespace py4cast {
namespace {

std::string section_description(const std::string& section) {
  static const std::map<std::string, std::string> descriptions = {
      {"model", "The network."},
      {"dataset", "What data are read and how."},
      {"dataset.periods", "The periods in time; they must not overlap."},
      {"dataset.periods.train", "Training: weights and statistics come from it."},
      {"dataset.periods.valid", "Validation: chooses the best checkpoint."},
      {"dataset.periods.test", "Test: scored once, after the training."},
      {"training", "The training."},
      {"training.optimizer", "AdamW."},
      {"training.schedule", "The learning rate over the training."},
      {"run", "Where the results go and what is reported."}};
  const auto found = descriptions.find(section);
  return found == descriptions.end() ? "" : found->second;
}

const Key* key_at(const std::string& path) {
  for (const auto& key : configuration_keys())
    if (key.path == path) return &key;
  return nullptr;
}

Json element_schema(const Key& key, const char* type) {
  Json schema = {{"type", type}};
  if (!key.choices.empty()) {
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
  if (key.optional) schema["type"] = {type, "null"};
  return schema;
}

Json list_schema(const Key& key, const char* type) {
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

Json key_schema(const Key& key);

Json variables_schema() {
  Json entry = {
      {"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
  for (const auto& key : variable_keys()) entry["properties"][key.path] = key_schema(key);
  return {{"type", "object"}, {"additionalProperties", entry}};
}

Json type_schema(const Key& key) {
  switch (key.type) {
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
    case KeyType::variables:
      return variables_schema();
    default:
      return {{"type", "object"}};
  }
}

Json key_schema(const Key& key) {
  Json schema = {{"description", key.description}};
  schema.update(type_schema(key));
  schema["default"] = key.default_value;
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

std::string on_one_line(const Json& value) {
  std::string text;
  if (value.is_object() && !value.empty()) {
    for (const auto& [name, part] : value.items())
      text += (text.empty() ? "{" : ", ") + Json(name).dump() + ": " + on_one_line(part);
    return text + "}";
  }
  if (value.is_array() && !value.empty()) {
    for (const Json& part : value) text += (text.empty() ? "[" : ", ") + on_one_line(part);
    return text + "]";
  }
  // 0.0 is a number of the struct; people write 0.
  if (value.is_number_float() && value == static_cast<int64_t>(value.get<double>()))
    return std::to_string(value.get<int64_t>());
  return value.dump();
}

std::string inside(std::string path, const std::string& name) {
  if (!path.empty()) path += '.';
  return path += name;
}

// An object is spread over lines of its own if a part of it has a comment.
bool has_comments(const Json& value, const std::string& path, const Commenter& comment) {
  if (!value.is_object()) return false;
  const auto items = value.items();
  return std::any_of(items.begin(), items.end(), [&](const auto& item) {
    const std::string inner = inside(path, item.key());
    return !comment(inner).empty() || has_comments(item.value(), inner, comment);
  });
}

void write_object(std::ostringstream& out, const Json& values, const std::string& path,
                  const Commenter& comment, size_t indent) {
  const std::string margin(indent, ' ');
  size_t left = values.size();
  for (const auto& [name, value] : values.items()) {
    const std::string inner = inside(path, name);
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
std::string meaning(const Key& key) {
  const bool object = key.type == KeyType::object || key.type == KeyType::variables;
  return key.description + " (" + (object ? "" : describe_type(key) + "; ") + "default " +
         on_one_line(key.default_value) + ")";
}

std::string key_comment(const std::string& path) {
  const Key* key = key_at(path);
  return key ? meaning(*key) : section_description(path);
}

Json& place_of(Json& json, const std::string& path) {
  Json* place = &json;
  size_t begin = 0;
  for (size_t dot; (dot = path.find('.', begin)) != std::string::npos; begin = dot + 1)
    place = &(*place)[path.substr(begin, dot - begin)];
  return (*place)[path.substr(begin)];
}

void write_flag(std::ostringstream& out, const std::string& head, const std::string& text) {
  const std::string margin(8, ' ');
  out << "  " << head << '\n' << margin << wrapped(text, margin) << '\n';
}

}  // namespace

std::string wrapped(const std::string& text, const std::string& prefix, size_t width) {
  std::istringstream words(text);
  std::string result, word;
  size_t column = prefix.size();
  while (words >> word) {
    if (!result.empty() && column + 1 + word.size() > width) {
      result += "\n" + prefix;
      column = prefix.size();
    } else if (!result.empty()) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

std::string pretty_json(const Json& value, size_t indent) {
  std::string line = on_one_line(value);
  if (indent + line.size() <= 80 || !value.is_structured() || value.empty()) return line;
  const std::string margin(indent + 2, ' ');
  const bool object = value.is_object();
  std::string text = object ? "{\n" : "[\n";
  size_t left = value.size();
  for (const auto& [name, part] : value.items())
    text += margin + (object ? Json(name).dump() + ": " : "") + pretty_json(part, indent + 2) +
            (--left ? ",\n" : "\n");
  return text + std::string(indent, ' ') + (object ? "}" : "]");
}

std::string commented_configuration(const Json& values, const Commenter& comment,
                                    const std::string& heading) {
  std::ostringstream out;
  if (!heading.empty()) out << "// " << wrapped(heading, "// ") << '\n';
  out << "{\n";
  write_object(out, values, "", comment, 2);
  out << "}\n";
  return out.str();
}

Json configuration_schema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "Configuration of py4cast"}};
  schema.update(object_schema("All keys may be left out."));
  schema["properties"]["$schema"] = {{"description", "This schema, for editors."},
                                     {"type", "string"}};
  for (const auto& key : configuration_keys()) {
    Json* place = &schema;
    size_t begin = 0;
    for (size_t dot; (dot = key.path.find('.', begin)) != std::string::npos; begin = dot + 1) {
      Json& properties = (*place)["properties"];
      const std::string name = key.path.substr(begin, dot - begin);
      if (!properties.contains(name))
        properties[name] = object_schema(section_description(key.path.substr(0, dot)));
      place = &properties[name];
    }
    (*place)["properties"][key.path.substr(begin)] = key_schema(key);
  }
  return schema;
}

std::string configuration_example() {
  Json values = Json::object();
  for (const auto& key : configuration_keys())
    place_of(values, key.path) = key.example.is_null() ? key.default_value : key.example;
  return commented_configuration(
      values, key_comment,
      "Every key with its meaning, type and default. Any key may also be given as "
      "--section.key VALUE, or as environment variable PY4CAST_SECTION_KEY; flags win over the "
      "environment, the environment over the file. Made by: py4cast config example");
}

std::string configuration_help() {
  std::ostringstream out;
  std::string section = "-";
  for (const auto& key : configuration_keys()) {
    const size_t dot = key.path.find('.');
    const std::string here = dot == std::string::npos ? "" : key.path.substr(0, dot);
    if (here != section) out << '\n' << (here.empty() ? "general" : here) << ":\n";
    section = here;
    std::string head = "--" + key.path;
    for (const std::string& flag : key.flags) head += ", --" + flag;
    if (key.type == KeyType::object || key.type == KeyType::variables) head += "[.NAME]";
    if (key.type == KeyType::boolean)
      head += ", --no-" + (key.flags.empty() ? key.path : key.flags.front());
    write_flag(out, head, meaning(key));
  }
  out << "\nseveral keys at once:\n";
  for (const SpecialFlag& flag : special_flags())
    write_flag(out, "--" + flag.flag + (flag.value.empty() ? "" : " " + flag.value),
               flag.description);
  return out.str();
}

}  // namespace py4cast
