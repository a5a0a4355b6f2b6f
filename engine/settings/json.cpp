#include "engine/settings/json.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"

namespace py4cast {

Json& place_of(Json& json, const std::string& path) {
  if (path.empty()) return json;
  Json* place = &json;
  size_t begin = 0;
  for (size_t dot; (dot = path.find('.', begin)) != std::string::npos; begin = dot + 1)
    place = &(*place)[path.substr(begin, dot - begin)];
  return (*place)[path.substr(begin)];
}

const Json* find_place(const Json& json, const std::string& path) {
  if (path.empty()) return &json;
  const Json* place = &json;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    if (!place->is_object()) return nullptr;
    const auto found = place->find(path.substr(begin, end - begin));
    if (found == place->end()) return nullptr;
    place = &*found;
    begin = end + 1;
  }
  return place;
}

std::string joined_path(const std::string& path, const std::string& name) {
  if (path.empty() || name.empty()) return path + name;
  return path + "." + name;
}

Json read_json_file(const std::string& file) {
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw Error(ErrorKind::configuration, file, ": no such file, or it cannot be read");
  try {
    return Json::parse(text, nullptr, /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const Json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 3, column 5: ..."
    const std::string message = error.what();
    const size_t at = message.find("at line");
    throw Error(ErrorKind::configuration, file, ": not valid JSON ",
                at == std::string::npos ? message : message.substr(at));
  }
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

}  // namespace py4cast
