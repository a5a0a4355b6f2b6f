#include "engine/settings/json.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/json_survey.h"

namespace py4cast {

Json& place_of(Json& json, const std::string& path) {
  if (path.empty()) return json;
  const size_t dot = path.find('.');
  if (!json.is_object()) json = Json::object();
  Json& part = json[path.substr(0, dot)];
  return dot == std::string::npos ? part : place_of(part, path.substr(dot + 1));
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

Json parse_json(std::string_view text, const std::string& where, ErrorKind kind, size_t longest) {
  if (text.size() > longest)
    throw Error(kind, where, ": has ", text.size(), " bytes; JSON of more than ", longest,
                " is not read");
  if (text.find('\0') != std::string_view::npos)
    throw Error(kind, where, ": not valid JSON: it is a binary file, not text");
  const JsonSurvey survey = survey_json(text);
  if (survey.depth > deepest_json)
    throw Error(kind, where, ": not valid JSON: it is nested deeper than ", deepest_json,
                " levels");
  if (!survey.twice.empty())
    throw Error(kind, where, ": the name '", survey.twice, "' stands twice in one object");
  try {
    return Json::parse(text, nullptr, /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 3, column 5: ..."
    // "[json.exception.out_of_range.406] number overflow parsing '1e999'"
    const std::string message = error.what();
    const size_t at = message.find("at line"), id = message.find("] ");
    throw Error(kind, where, ": not valid JSON ",
                at != std::string::npos
                    ? message.substr(at)
                    : "(" + message.substr(id == std::string::npos ? 0 : id + 2) + ")");
  }
}

Json read_json_file(const std::string& file, ErrorKind kind) {
  std::error_code code;
  if (std::filesystem::is_directory(file, code))
    throw Error(kind, file, ": is a folder; a JSON file is needed");
  const auto size = std::filesystem::file_size(file, code);
  if (!code && size > longest_json)
    throw Error(kind, file, ": has ", size, " bytes; JSON of more than ", longest_json,
                " is not read");
  std::string text;
  try {
    text = read_file(file);
  } catch (const Error&) {
    throw Error(kind, file, ": no such file, or it cannot be read");
  }
  return parse_json(text, file, kind);
}

Json sealed(Json content) {
  content["checksum"] = fingerprint(content.dump());
  return content;
}

bool is_sealed(Json content) {
  if (!content.is_object() || !content.contains("checksum")) return false;
  const Json checksum = std::move(content["checksum"]);
  content.erase("checksum");
  return checksum == fingerprint(content.dump());
}

bool is_utf8(std::string_view text) {
  try {
    Json(text).dump();
    return true;
  } catch (const Json::type_error&) {
    return false;
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
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::abs(number) < 1e15 && number == std::trunc(number))
      return std::to_string(static_cast<int64_t>(number));
  }
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
