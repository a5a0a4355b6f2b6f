// What is known about one setting beside its place in a struct, and the checks of its values.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/settings/json.h"

namespace py4cast {

enum class KeyType {
  boolean,
  integer,
  number,
  text,
  integers,  // a list; one value alone is taken as a list of one
  numbers,   // the same
  texts,     // the same
  object,    // open: any JSON object
  entries,   // name -> an object with the keys of a table
};

// A value that stands for another spelling: "32" -> "fp32".
using Spellings = std::map<std::string, std::string>;

struct Key {
  std::string description;                // a sentence
  std::vector<std::string> flags = {};    // short flags beside --path, without the dashes
  std::vector<std::string> choices = {};  // empty: any text
  bool any_spelling = false;              // of a choice: case and punctuation do not matter
  std::string numbered = {};              // the choice that a number may follow: "cuda:1"
  Spellings spellings = {};
  double minimum = -std::numeric_limits<double>::infinity();
  std::vector<size_t> lengths = {};  // allowed lengths of a list; empty: any
  std::string environment = {};      // instead of PY4CAST_<PATH>
  std::string example = {};          // JSON, shown in the commented example instead of the default
  bool always_written = false;       // of an entry: written also where it has its default
};

class SettingsTable;

// How a member of some type is read and written.
struct MemberType {
  KeyType type;
  bool optional = false;  // null stands for "not given"
  // Takes what checked_value() returned. Members of an enumeration need the choices of the key.
  void (*set)(const Key& key, void* member, const Json& value) = nullptr;
  void (*get)(const Key& key, const void* member, Json& value) = nullptr;
  const SettingsTable* (*entries)() = nullptr;  // the table of each entry
};

// A key and the member that it fills.
struct Setting : Key {
  std::string path;   // "training.optimizer.lr"
  MemberType member;  // its type
  size_t offset = 0;  // of the member in the struct [bytes]
  std::shared_ptr<const Json> default_value;
  std::string owner = {};  // the alternative that brings the key: "adamw"; empty: always there

  KeyType type() const { return member.type; }
};

// The variable of the environment: PY4CAST_TRAINING_EPOCHS.
std::string environment_name(const std::string& path);
std::string environment_name(const Setting& setting);

// In words: "an integer", "a list of numbers", "'mse' or 'mae'".
std::string describe_type(const Setting& setting);

// The value in its final form (lists made of single values, spellings resolved). `where` is the
// file or other source, `name` how the key is called there. Error(configuration).
Json checked_value(const Setting& setting, const Json& value, const std::string& where,
                   const std::string& name);

// The JSON that a text from the command line or the environment stands for. Error(configuration):
// it is not UTF-8.
Json value_from_text(KeyType type, const std::string& text);

// The same for a part of an open object or of entries: "t2m.role". A part of an entry has a type of
// its own; one of an open object is JSON or else text.
Json inside_value(const Setting& setting, const std::string& inside, const std::string& text);

// Error(configuration): "WHERE: unknown WHAT 'NAME'; did you mean 'NEAREST'?"
[[noreturn]] void refuse_unknown(const std::string& where, const std::string& what,
                                 const std::string& name, const std::vector<std::string>& known);

}  // namespace py4cast
