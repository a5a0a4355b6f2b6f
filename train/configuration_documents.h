// The documents made from the table of keys: JSON schema, commented example, help.
#pragma once

#include <functional>
#include <string>

#include "train/configuration.h"

namespace py4cast {

// JSON Schema, draft 2020-12: description, type, default and choices of every key. The committed
// copy is config/schema.json.
Json configuration_schema();

// A complete configuration with a comment for every key. The committed copy is
// config/example.jsonc.
std::string configuration_example();

// Every flag with its key, default and description, by section.
std::string configuration_help();

// A comment (may be empty) for the key with this path.
using Commenter = std::function<std::string(const std::string& path)>;

// A configuration file of the nested `values`, each with its comment above it.
std::string commented_configuration(const Json& values, const Commenter& comment,
                                    const std::string& heading);

// JSON with short values on one line; lines after the first are indented by `indent` spaces more.
std::string pretty_json(const Json& value, size_t indent = 0);

// Breaks a text into lines of at most `width`, each after the first preceded by `prefix`.
std::string wrapped(const std::string& text, const std::string& prefix, size_t width = 100);

}  // namespace py4cast
