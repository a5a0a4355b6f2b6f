// The documents made from a layout: JSON schema, commented example, help.
#pragma once

#include <functional>
#include <string>

#include "engine/settings/layout.h"

namespace py4cast {

// JSON Schema, draft 2020-12: description, type, default and choices of every key; the keys of an
// alternative under the condition that it is chosen.
Json schema_of(const Layout& layout, const std::string& title);

// A complete configuration with a comment for every key.
std::string example_of(const Layout& layout, const std::string& heading);

// Every flag with its key, default and description, by section.
std::string help_of(const Layout& layout);

// A comment (may be empty) for the key with this path.
using Commenter = std::function<std::string(const std::string& path)>;

// A configuration file of the nested `values`, each with its comment above it.
std::string commented_configuration(const Json& values, const Commenter& comment,
                                    const std::string& heading);

}  // namespace py4cast
