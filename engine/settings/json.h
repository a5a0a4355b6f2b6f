// JSON: places by path, files with comments, texts for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace py4cast {

// Keeps the order of the keys: features stand in the order of dataset.variables.
using Json = nlohmann::ordered_json;

// The place of "a.b.c" in nested objects, made where it is missing; "": the whole. What stands on
// the way and is no object becomes one.
Json& place_of(Json& json, const std::string& path);
// Null where there is no such place.
const Json* find_place(const Json& json, const std::string& path);
// "a.b" of "a" and "b"; either may be empty.
std::string joined_path(const std::string& path, const std::string& name);

// Texts that are longer [bytes] or nested deeper are refused before anything is made of them.
constexpr size_t longest_json = size_t{16} << 20;
constexpr int deepest_json = 100;

// JSON with comments (// and /* */) allowed. Error(kind), beginning with `where`: line and column of
// what is no JSON, a number that no double can hold, a name twice in one object, too long, too deep.
Json parse_json(std::string_view text, const std::string& where, ErrorKind kind,
                size_t longest = longest_json);
// The same of a file. Error(input_output): it cannot be read.
Json read_json_file(const std::string& file, ErrorKind kind = ErrorKind::configuration);

// An object with its "checksum", and whether that is the one of the rest: for files that only programs write.
Json sealed(Json content);
bool is_sealed(Json content);

// Whether JSON can hold the text.
bool is_utf8(std::string_view text);

// {"a": 1, "b": [1, 2]}
std::string on_one_line(const Json& value);
// Short values on one line; lines after the first are indented by `indent` spaces more.
std::string pretty_json(const Json& value, size_t indent = 0);
// Breaks a text into lines of at most `width`, each after the first preceded by `prefix`.
std::string wrapped(const std::string& text, const std::string& prefix, size_t width = 100);

}  // namespace py4cast
